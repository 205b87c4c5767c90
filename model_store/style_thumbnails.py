"""Pictures of a label map in each style of a model, for its card. Needs torch."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from model_store.card import ModelCard
from model_store.errors import CardError
from model_store.loading import load_synthesizer
from model_store.registry import CARD_FILE, Registry
from model_store.styles import latent_of_style
from model_store.thumbnails import make_thumbnail
from model_store.versions import models_folder, read_card, sole_writer, write_card
from spade.label_images import decode_label_map, resize_nearest


def show_styles_in_card(folder: Path, label_map: Path, *, device: str) -> ModelCard:
    """Makes the picture of `label_map` in each style of the version in `folder`, and seals them into its card.

    `folder` is `<name>/<version>` of a folder of models; `label_map` is a PNG whose pixels are class ids.

    Raises SpadeError: of the kind that says what is wrong with card, weights, label map or device. CardError: also
    where the card has been changed or removed meanwhile, which is left so.
    """
    card = read_card(folder / CARD_FILE)
    if not card.styles:
        raise CardError(f"{card.reference}: it has no styles to show")
    labels = decode_label_map(
        label_map.read_bytes(), file=str(label_map), label_nc=card.label_nc, unknown_id=card.unknown_id
    )
    label_maps = resize_nearest(labels, card.height, card.width)[np.newaxis]
    registry = Registry(models_folder(folder), built_in=None)
    synthesizer = load_synthesizer(registry, card, device=device)
    styles = []
    for style in card.styles:
        (picture,) = synthesizer.synthesize(label_maps, None, [0], [latent_of_style(card, style.name)])
        styles.append(replace(style, thumbnail=make_thumbnail(picture)))
    shown = replace(card, styles=tuple(styles))
    with sole_writer(models_folder(folder)):
        if _without_thumbnails(read_card(folder / CARD_FILE)) != _without_thumbnails(card):
            raise CardError(f"{folder / CARD_FILE}: it was changed while the pictures were made; make them once more")
        write_card(folder, shown)
    return shown


def _without_thumbnails(card: ModelCard) -> ModelCard:
    return replace(card, styles=tuple(replace(style, thumbnail=None) for style in card.styles))
