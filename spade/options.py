"""What the commands of `spade` have in common: options, and how errors are answered."""

from typing import Any

import click

from spade.data.errors import lost_readers_told
from spade.errors import SpadeError
from spade.sizes import parse_size

json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON object, for programs.")


class OneLineErrors(click.Group):
    """A group whose commands answer what a user can mend with one line on stderr and exit status 1."""

    def invoke(self, ctx: click.Context) -> Any:  # noqa: ANN401 - as click has it
        try:
            with lost_readers_told():
                return super().invoke(ctx)
        except SpadeError as error:
            raise click.ClickException(str(error)) from error
        except OSError as error:
            line = f"{error.filename}: {error.strerror}" if error.filename else str(error)
            raise click.ClickException(line) from error


class Size(click.ParamType[tuple[int, int]]):
    """`WxH` in pixels, as (height, width)."""

    name = "WxH"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, int]:
        size = parse_size(value)
        if size is None:
            self.fail(f"{value!r} is not a size; write width x height in pixels, as in 512x256", param, ctx)
        return size
