"""The whole `spade` command line: the commands of `spade.cli`, and those that need the registry of models."""

from model_store.synthesize import synthesize
from model_store.training_export import export
from spade.cli import spade

spade.add_command(synthesize)
spade.add_command(export)


def main() -> None:
    """Entry point of the console script `spade`."""
    spade(prog_name="spade")


if __name__ == "__main__":
    main()
