"""What a client of the service raises. Light, so that a command line which only may meet it loads nothing else."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from api.problems import Problem


class ClientError(Exception):
    """The service did not do what it was asked. `problem` is its own report, where it made one."""

    def __init__(self, message: str, *, problem: "Problem | None" = None) -> None:
        super().__init__(message)
        self.problem = problem
