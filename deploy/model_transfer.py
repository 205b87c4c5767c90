"""Versions of models in the object store, from which other machines take them: models/NAME/VERSION/FILE."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from deploy.errors import DeployError
from model_store.card import ModelCard, is_reference
from model_store.errors import CardError, UnknownModelError, WeightsError
from model_store.registry import CARD_FILE, LATEST, WEIGHTS_FILE, Registry
from model_store.versions import (
    clear_remains,
    files_of,
    has_size,
    require_digest,
    sole_writer,
    version_folder,
    write_card,
)
from spade.files import written_whole
from workers.errors import ObjectMissingError, ServiceError
from workers.storage import ObjectStore

MODELS_PREFIX: Final = "models/"
_CLAIM: Final = "push-"


class TransferError(DeployError):
    """A version that cannot be pushed or pulled."""


def stored_cards(objects: ObjectStore, name: str = "") -> tuple[list[ModelCard], list[CardError | ServiceError]]:
    """The cards of one model or of all, by name, then by version, newest last; and what is wrong with the others.

    Raises StorageUnavailableError: where they cannot be listed.
    """
    prefix = f"{MODELS_PREFIX}{name}/" if name else MODELS_PREFIX
    cards: list[ModelCard] = []
    wrong: list[CardError | ServiceError] = []
    for key in objects.keys(prefix):
        if key.endswith(f"/{CARD_FILE}"):
            try:
                cards.append(_read_card(objects, key))
            except (CardError, ServiceError) as error:
                wrong.append(error)
    return sorted(cards, key=lambda card: (card.name, card.version_key)), wrong


def stored_card(objects: ObjectStore, reference: str) -> ModelCard | None:
    """The card of `name@version`, where the store has it. Raises CardError: where it cannot be read."""
    name, _, version = reference.partition("@")
    try:
        return _read_card(objects, f"{MODELS_PREFIX}{name}/{version}/{CARD_FILE}")
    except ObjectMissingError:
        return None


def push(registry: Registry, card: ModelCard, objects: ObjectStore) -> bool:
    """Puts the version's verified files and, last, its card into the store; False where it is there already.

    Raises TransferError: where the store has another version of that number, or somebody else pushes one. WeightsError:
    as `Registry.weights_path`.
    """
    paths = {}
    for name in files_of(card):
        paths[name] = registry.weights_path(card) if name == WEIGHTS_FILE else registry.encoder_path(card)
    with _sole_pusher(objects, card):
        stored = stored_card(objects, card.reference)
        if stored is not None and stored != card:
            raise TransferError(
                f"{card.reference}: the store has another model of that name and version; choose another"
            )
        if stored is not None and all(objects.exists(_key(card, name)) for name in paths):
            return False
        for name, path in paths.items():
            objects.put(_key(card, name), path.read_bytes())
        objects.put(_key(card, CARD_FILE), card.to_json().encode(), content_type="application/json")
    return True


@contextmanager
def _sole_pusher(objects: ObjectStore, card: ModelCard) -> Iterator[None]:
    """Keeps others from pushing another model of that name and version; the same one does no harm.

    Stores need not know conditional puts for it: each first puts its claim, then looks for those of others, so that of
    two one sees the other, if not both. A claim that a killed process has left goes with its next try.

    Raises TransferError.
    """
    claims = _key(card, _CLAIM)
    own = f"{claims}{hashlib.sha256(card.to_json().encode()).hexdigest()}"
    objects.put(own, b"")
    try:
        if others := [key for key in objects.keys(claims) if key != own]:
            raise TransferError(
                f"{card.reference}: somebody else pushes another model of that name and version; choose another, or if "
                f"nobody does, delete {others[0]} from the object store"
            )
        yield
    finally:
        objects.delete(own)


def choose_stored(objects: ObjectStore, reference: str) -> ModelCard:
    """The card for `name`, its newest version in the store, or `name@version`.

    Raises UnknownModelError. CardError: where it cannot be read; for the newest, where that of any version cannot.
    TransferError: where no model can have that name.
    """
    name, _, version = reference.partition("@")
    is_newest = version in ("", LATEST)
    if not is_reference(f"{name}@1" if is_newest else reference):
        raise TransferError(f"{reference!r} names no model; write NAME, NAME@latest or NAME@VERSION, as in landscape@2")
    if is_newest:
        cards, wrong = stored_cards(objects, name)
        if wrong:
            raise wrong[0]
        card = cards[-1] if cards else None
    else:
        card = stored_card(objects, reference)
    if card is None:
        existing = ", ".join(card.reference for card in stored_cards(objects)[0]) or "none"
        raise UnknownModelError(f"the store has no model {reference!r}; it has: {existing}")
    return card


def pull(objects: ObjectStore, card: ModelCard, models_dir: Path, *, only_card: bool = False) -> bool:
    """Brings a version from the store into a models folder, verified; False where it is there already, of full size.

    `only_card` leaves out its weights, for a process that tells of models and runs none.

    Raises CardError: where there is another version of that number. WeightsError: where a file was changed or damaged.
    TransferError: where the store lacks one.
    """
    with sole_writer(models_dir):
        return _pull(objects, card, models_dir, only_card=only_card)


def _pull(objects: ObjectStore, card: ModelCard, models_dir: Path, *, only_card: bool) -> bool:
    other = Registry(models_dir).find(card.reference)
    if other not in (None, card):
        raise CardError(f"{card.reference}: there is another model of that name and version; remove it first")
    folder = version_folder(models_dir, card)
    files = {} if only_card else files_of(card)
    is_shipped = other == card and not (folder / CARD_FILE).exists()
    if is_shipped or (other == card and all(has_size(folder / name, info) for name, info in files.items())):
        return False
    clear_remains(folder)
    for name, info in files.items():
        key = _key(card, name)
        try:
            data = objects.get(key)
        except ObjectMissingError as error:
            raise TransferError(f"{card.reference}: the store lacks {key!r}; push it again") from error
        with written_whole(folder / name) as partial:
            partial.write_bytes(data)
            try:
                require_digest(partial, info, card)
            except WeightsError as error:
                raise WeightsError(f"{error}; {_mend(key)}") from error
    write_card(folder, card)
    return True


def _read_card(objects: ObjectStore, key: str) -> ModelCard:
    text = objects.get(key).decode("utf-8", errors="replace")
    try:
        card = ModelCard.from_json(text, where=key)
    except CardError as error:
        raise CardError(f"{error}; {_mend(key)}") from error
    if key != _key(card, CARD_FILE):
        own = _key(card, CARD_FILE)
        raise CardError(
            f"{key}: it describes {card.reference}, whose place is {own}; delete {key} from the object store"
        )
    return card


def _mend(key: str) -> str:
    """What is to be done about a damaged object."""
    return f"delete {key} from the object store, and push the version again"


def _key(card: ModelCard, file: str) -> str:
    return f"{MODELS_PREFIX}{card.name}/{card.version}/{file}"
