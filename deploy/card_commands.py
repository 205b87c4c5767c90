"""`spade-serve models seal`, `thumbnails`: a version's card, as somebody has changed it, or to be changed."""

from pathlib import Path

import click

from model_store.versions import seal_card


@click.command()
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
def seal(folder: Path) -> None:
    """Accept the card.json in FOLDER as you have changed it.

    A card holds a digest of what it says, so that a change is noticed that nobody meant.

    \b
    Example:
        spade-serve models seal ~/models/landscape/3
    """
    click.echo(f"{seal_card(folder).reference} is sealed")


@click.command()
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option(
    "--label-map",
    required=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="PNG whose pixels are class ids of the model; shown in each of its styles.",
)
@click.option("--device", metavar="auto|cpu|cuda|mps", default="auto", show_default=True, help="Where to compute.")
def thumbnails(folder: Path, label_map: Path, device: str) -> None:
    """Make a small picture in each style of the version in FOLDER, and seal them into its card.

    They travel with the card, and pages show them where a style is chosen.

    \b
    Example:
        spade-serve models thumbnails ~/models/landscape/3 --label-map lake.png
    """
    from model_store.style_thumbnails import show_styles_in_card  # torch takes a second to load

    card = show_styles_in_card(folder, label_map, device=device)
    click.echo(f"{card.reference} shows its styles: {', '.join(card.styles_by_name)}")
