"""Versions of models in the object store, from which other machines take them: models/NAME/VERSION/FILE."""

from pathlib import Path
from typing import Final

from deploy.errors import DeployError
from model_store.card import ModelCard
from model_store.errors import CardError, UnknownModelError
from model_store.registry import CARD_FILE, WEIGHTS_FILE, Registry
from model_store.versions import files_of, require_digest, version_folder, write_card
from spade.files import clear_partials, written_whole
from workers.errors import ObjectMissingError
from workers.storage import ObjectStore

MODELS_PREFIX: Final = "models/"


class TransferError(DeployError):
    """A version that cannot be pushed or pulled."""


def stored_cards(objects: ObjectStore, name: str = "") -> list[ModelCard]:
    """The cards in the store, of one model or of all, by name, then by version, newest last.

    Raises CardError: where one cannot be read.
    """
    prefix = f"{MODELS_PREFIX}{name}/" if name else MODELS_PREFIX
    keys = (key for key in objects.keys(prefix) if key.endswith(f"/{CARD_FILE}"))
    cards = [_read_card(objects, key) for key in keys]
    return sorted(cards, key=lambda card: (card.name, card.version_key))


def push(registry: Registry, card: ModelCard, objects: ObjectStore) -> bool:
    """Puts the version's verified files and, last, its card into the store; False where it is there already.

    Raises TransferError: where the store has another version of that number. WeightsError: as `Registry.weights_path`.
    """
    paths = {}
    for name in files_of(card):
        paths[name] = registry.weights_path(card) if name == WEIGHTS_FILE else registry.encoder_path(card)
    try:
        stored = _read_card(objects, _key(card, CARD_FILE))
    except ObjectMissingError:
        stored = None
    if stored is not None and stored != card:
        raise TransferError(f"{card.reference}: the store has another model of that name and version; choose another")
    if stored is not None and all(objects.exists(_key(card, name)) for name in paths):
        return False
    for name, path in paths.items():
        objects.put(_key(card, name), path.read_bytes())
    objects.put(_key(card, CARD_FILE), card.to_json().encode(), content_type="application/json")
    return True


def choose_stored(objects: ObjectStore, reference: str) -> ModelCard:
    """The card for `name`, its newest version in the store, or `name@version`. Raises UnknownModelError."""
    name, _, version = reference.partition("@")
    cards = [card for card in stored_cards(objects, name) if version in ("", "latest", card.version)]
    if not cards:
        existing = ", ".join(card.reference for card in stored_cards(objects)) or "none"
        raise UnknownModelError(f"the store has no model {reference!r}; it has: {existing}")
    return cards[-1]


def pull(objects: ObjectStore, card: ModelCard, models_dir: Path) -> bool:
    """Brings a version from the store into a models folder, verified; False where it is there already.

    Raises CardError: where there is another version of that number. WeightsError: where a file was changed or damaged.
    TransferError: where the store lacks one.
    """
    for other in Registry(models_dir).cards():
        if other.reference == card.reference:
            if other != card:
                raise CardError(f"{card.reference}: there is another model of that name and version; remove it first")
            return False
    folder = version_folder(models_dir, card)
    clear_partials(folder)
    for name, info in files_of(card).items():
        try:
            data = objects.get(_key(card, name))
        except ObjectMissingError as error:
            raise TransferError(f"{card.reference}: the store lacks {_key(card, name)!r}; push it again") from error
        with written_whole(folder / name) as partial:
            partial.write_bytes(data)
            require_digest(partial, info, card)
    write_card(folder, card)
    return True


def _read_card(objects: ObjectStore, key: str) -> ModelCard:
    return ModelCard.from_json(objects.get(key).decode("utf-8", errors="replace"), where=key)


def _key(card: ModelCard, file: str) -> str:
    return f"{MODELS_PREFIX}{card.name}/{card.version}/{file}"
