"""Options that the commands about models have in common."""

from pathlib import Path

import click

models_dir_option = click.option(
    "--models-dir",
    type=click.Path(path_type=Path),
    envvar="SPADE_MODELS_DIR",
    show_envvar=True,
    help="Folder of models and their weights; a folder in your home if not given.",
)
