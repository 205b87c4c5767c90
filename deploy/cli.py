"""The console script `spade-serve`. Its parts are in the modules named `*commands`."""

from typing import Any

import click

from api.client_answers import ClientError
from deploy.audit_command import audit
from deploy.bench.commands import bench
from deploy.dead_letter_commands import dead_letters
from deploy.errors import DeployError
from deploy.job_commands import status, submit
from deploy.key_commands import keys
from deploy.local.commands import demo, doctor, up
from deploy.model_commands import models
from deploy.process_commands import api, worker
from deploy.recovery_commands import requeue
from spade.options import OneLineErrors
from workers.errors import ServiceError


class _Commands(OneLineErrors):
    """Errors that a user can mend become a line and exit code 1; Ctrl-C becomes exit code 130."""

    def invoke(self, ctx: click.Context) -> Any:  # noqa: ANN401 - click's signature
        try:
            return super().invoke(ctx)
        except (DeployError, ClientError, ServiceError) as error:
            raise click.ClickException(f"{error}{_hint(error)}") from error
        except KeyboardInterrupt:
            click.echo("Interrupted.", err=True)
            raise SystemExit(130) from None


def _hint(error: Exception) -> str:
    """How to do with a command what the service says of requests."""
    lacks_key = isinstance(error, ClientError) and error.problem is not None and error.problem.status == 401
    return "; here: give its file with --key-file, or the key in SPADE_API_KEY" if lacks_key else ""


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="spade-serving")
def main() -> None:
    """Serve semantic image synthesis: label maps in, pictures out.

    \b
    Example:
        spade-serve up                                     # in one terminal
        spade-serve submit map.png --model landscape       # in another
    """


for command in (up, demo, doctor, submit, status, models, keys, api, worker, requeue, dead_letters, audit, bench):
    main.add_command(command)
