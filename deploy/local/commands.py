"""`spade-serve up`, `demo` and `doctor`: the service on one machine."""

import dataclasses
import os
import shlex
import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Column, Table

from deploy.examples import example_label_maps
from deploy.local.demo import run_demo
from deploy.local.doctor import Finding, Health, examine
from deploy.local.metrics import metrics_refused
from deploy.local.signals import STOP_SIGNALS, stopped_by_signals
from deploy.local.stack import LocalStack
from deploy.local.state import StateFolder
from deploy.options import print_json, require_loopback, state_option
from model_store.registry import default_models_folder
from spade.options import json_option
from workers.settings import EngineKind


@click.command()
@state_option
@click.option("--port", type=click.IntRange(1, 65535), help="Port of the API; without it the last one, or a free one.")
@click.option("--workers", type=click.IntRange(1, 64), default=1, show_default=True, help="Worker processes.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to serve; this machine's own only.")
@click.option(
    "--engine",
    type=click.Choice([one.value for one in EngineKind]),
    default=EngineKind.LOCAL.value,
    show_default=True,
    envvar="SPADE_ENGINE",
    show_envvar=True,
    help="What makes the pictures: the workers themselves, or TorchServe, which needs Java.",
)
def up(state: Path, port: int | None, workers: int, host: str, engine: str) -> None:
    """Run the whole service on this machine until Ctrl-C.

    Starts a Redis-protocol server, an S3 object store, the API, the workers, an exporter of the queue's figures and, if
    this machine has it, Prometheus; and starts again whichever of them dies. What was submitted stays in the state
    folder and goes on at the next start.

    \b
    Example:
        spade-serve up --port 8080
    """
    require_loopback(host)
    stack = LocalStack(
        state,
        environment={**os.environ, "SPADE_ENGINE": engine},
        port=port,
        workers=workers,
        is_watched=True,
        report=lambda event: click.echo(event, err=True),
    )
    stopped_by_signals(stack.stop)
    click.echo(f"Starting; logs go to {stack.state.logs}")
    stack.run(on_ready=lambda: _introduce(stack))
    click.echo("Stopped.")


@click.command()
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("out/demo"),
    show_default=True,
    help="Folder for the pictures and the contact sheet.",
)
@click.option(
    "--state",
    type=click.Path(file_okay=False, path_type=Path),
    help="State folder to use and keep; without it a temporary one.",
)
def demo(out: Path, state: Path | None) -> None:
    """Start the service, make pictures of example label maps over HTTP, show them, and stop it again.

    \b
    Example:
        spade-serve demo --out out/demo
    """
    for number in STOP_SIGNALS:
        signal.signal(number, signal.default_int_handler)
    with _folder(state) as folder:
        stack = LocalStack(folder, environment=os.environ, report=lambda event: click.echo(event, err=True))
        sheet = run_demo(stack, out, console=Console())
    click.echo(f"\nContact sheet: {sheet.absolute()}")


@click.command()
@state_option
@json_option
def doctor(state: Path, as_json: bool) -> None:
    """Say what this machine lacks for running the service, and how to get it. Exit code 1 where something is missing.

    \b
    Example:
        spade-serve doctor
    """
    findings = examine(StateFolder(state), Path(os.environ.get("SPADE_MODELS_DIR") or default_models_folder()))
    if as_json:
        print_json({"findings": [dataclasses.asdict(finding) for finding in findings]})
    else:
        _print_findings(findings)
    if any(finding.health is Health.MISSING for finding in findings):
        raise SystemExit(1)


def _introduce(stack: LocalStack) -> None:
    example = example_label_maps()[0]
    path, style = shlex.quote(str(example.path)), example.styles[0]
    prometheus = f"\n  metrics {stack.prometheus_url}" if stack.prometheus_url else ""
    refused = metrics_refused(stack.url, stack.state.path) if stack.prometheus_url else None
    warning = f"\nWarning: {refused}\n" if refused else ""
    click.echo(
        f"""
The service is up.
  API     {stack.url}
  studio  {stack.url}/studio
  docs    {stack.url}/docs
  ops     {stack.url}/ops{prometheus}
  state   {stack.state.path}

Try, in another terminal:
  curl -sS {stack.url}/v1/jobs -H 'Prefer: wait=60' -F 'params={{"model": "{example.model}", "style": "{style}"}}' \\
    -F label_map=@{path}
  spade-serve submit {path} --model {example.model} --style {style} --url {stack.url}
{warning}
Ctrl-C stops everything."""
    )


@contextmanager
def _folder(given: Path | None) -> Iterator[Path]:
    if given is not None:
        yield given
        return
    with tempfile.TemporaryDirectory(prefix="spade-demo-") as folder:
        yield Path(folder)


def _print_findings(findings: list[Finding]) -> None:
    colors = {Health.OK: "green", Health.WARNING: "yellow", Health.MISSING: "red"}
    table = Table(Column(), Column(), Column(overflow="fold"), box=None, show_header=False, padding=(0, 2, 0, 0))
    for finding in findings:
        color = colors[finding.health]
        remedy = f"\n[{color}]{escape(finding.remedy)}[/]" if finding.remedy else ""
        table.add_row(f"[{color}]{finding.health}[/]", finding.subject, escape(finding.detail) + remedy)
    Console().print(table)
