"""Options that the commands about models have in common."""

from pathlib import Path

import click

from model_store.chosen_style import ChosenStyle
from model_store.errors import UnusableModelError
from model_store.registry import Registry, default_models_folder

models_dir_option = click.option(
    "--models-dir",
    type=click.Path(path_type=Path),
    envvar="SPADE_MODELS_DIR",
    show_envvar=True,
    help="Folder of models and their weights; a folder in your home if not given.",
)


class StyleText(click.ParamType[ChosenStyle]):
    """`NAME`, or `FIRST:SECOND:WEIGHT`, a blend of two."""

    name = "NAME|FIRST:SECOND:WEIGHT"

    def convert(
        self, value: str | ChosenStyle, param: click.Parameter | None, ctx: click.Context | None
    ) -> ChosenStyle:
        if isinstance(value, ChosenStyle):
            return value
        match value.split(":"):
            case [first, second, weight]:
                try:
                    return ChosenStyle(first=first, second=second, weight=float(weight))
                except ValueError:
                    detail = f"{value!r} has no number at its end; write FIRST:SECOND:WEIGHT, like day:sunset:0.3"
                    self.fail(detail, param, ctx)
        return ChosenStyle(first=value)


def open_registry(models_dir: Path | None) -> Registry:
    """The registry of a command. Of models that cannot be used, and that nobody asked for, a person is told."""
    return Registry(models_dir or default_models_folder(), report=_warn)


def _warn(error: UnusableModelError) -> None:
    click.echo(f"Warning: {error}; it lies in {error.path.parent}", err=True)
