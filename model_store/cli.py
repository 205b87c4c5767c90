"""The whole `spade` command line: the commands of `spade.cli`, and those that need the registry of models."""

import os
from pathlib import Path

import click

from model_store.evaluate import evaluate
from model_store.onnx_command import export_onnx_command
from model_store.options import open_registry
from model_store.published_command import import_published
from model_store.results import test_model
from model_store.synthesize import synthesize
from model_store.training_export import export_run
from spade.cli import spade


@click.group()
def export() -> None:
    """Give models to other programs: a training run's, or any as ONNX."""


export.add_command(export_run)
export.add_command(export_onnx_command)

for command in (synthesize, test_model, evaluate, export, import_published):
    spade.add_command(command)


def weights_of_version(reference: str) -> Path:
    """The weights file of a model, `name` or `name@version`; `spade train --start-from` asks. Raises SpadeError."""
    from model_store.loading import ensure_weights  # torch takes a second to load

    folder = os.environ.get("SPADE_MODELS_DIR")
    registry = open_registry(Path(folder) if folder else None)
    return ensure_weights(registry, registry.resolve(reference))


spade.context_settings["obj"] = weights_of_version


def main() -> None:
    """Entry point of the console script `spade`."""
    spade(prog_name="spade")


if __name__ == "__main__":
    main()
