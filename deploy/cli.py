"""The console script `spade-serve`. Its parts are in the modules named `*commands`, loaded when they are needed.

So a worker needs nothing of the API, the API nothing of a worker, and each command starts as fast as it can.
"""

import importlib
from typing import Any

import click

from api.client_errors import ClientError
from deploy.errors import DeployError
from spade.options import OneLineErrors
from workers.errors import ServiceError

_MODULES = {
    "up": "deploy.local.commands",
    "demo": "deploy.local.commands",
    "doctor": "deploy.local.commands",
    "submit": "deploy.job_commands",
    "status": "deploy.job_commands",
    "models": "deploy.model_commands",
    "keys": "deploy.key_commands",
    "prepare": "deploy.prepare_command",
    "api": "deploy.process_commands",
    "worker": "deploy.process_commands",
    "exporter": "deploy.exporter_command",
    "top": "deploy.top_command",
    "requeue": "deploy.recovery_commands",
    "dead-letters": "deploy.dead_letter_commands",
    "audit": "deploy.audit_command",
    "torchserve": "deploy.torchserve.commands",
    "k8s": "deploy.cluster.commands",
    "bench": "deploy.bench.commands",
}
"""Where each command is; a function of its name there."""


class _Commands(OneLineErrors):
    """Errors that a user can mend become a line and exit code 1; Ctrl-C becomes exit code 130."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - as click has it
        return sorted(_MODULES)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - as above
        if cmd_name in _MODULES:
            return _load(cmd_name)
        self.commands.update({name: _load(name) for name in _MODULES})  # click tells which of them the name is like
        return None

    def invoke(self, ctx: click.Context) -> Any:  # noqa: ANN401 - click's signature
        try:
            return super().invoke(ctx)
        except (DeployError, ClientError, ServiceError) as error:
            raise click.ClickException(f"{error}{_hint(error)}") from error
        except ModuleNotFoundError as error:  # commands load some packages only when they need them
            raise click.ClickException(_lacking(str(ctx.invoked_subcommand), str(error.name))) from error
        except KeyboardInterrupt:
            click.echo("Interrupted.", err=True)
            raise SystemExit(130) from None


def _load(name: str) -> click.Command:
    """A command; where a package that it needs is not installed, one of its name that says so."""
    try:
        command = getattr(importlib.import_module(_MODULES[name]), name.replace("-", "_"))
    except ModuleNotFoundError as error:
        return _absent(name, lacking=str(error.name))
    assert isinstance(command, click.Command)
    return command


def _absent(name: str, *, lacking: str) -> click.Command:
    @click.command(
        name,
        help=f"Not installed here: needs the package {lacking}.",
        context_settings={"ignore_unknown_options": True},
    )
    @click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
    def absent(arguments: tuple[str, ...]) -> None:  # noqa: ARG001 - whatever the command would take
        raise DeployError(_lacking(name, lacking))

    return absent


def _lacking(name: str, package: str) -> str:
    return (
        f"`spade-serve {name}` needs the package {package}, which is not installed here; "
        "install spade-serving with the extra that has it, [local] for all of them"
    )


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
