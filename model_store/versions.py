"""Adding versions of models to a models folder, weights first, then the card that makes them seen; removing them."""

import dataclasses
import fcntl
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

from model_store.card import EncoderInfo, ModelCard, WeightsInfo
from model_store.errors import CardError, WeightsError
from model_store.registry import CARD_FILE, ENCODER_FILE, WEIGHTS_FILE, Registry, file_sha256
from spade.files import clear_partials, written_whole

if TYPE_CHECKING:
    from spade.encoder import ImageEncoder
    from spade.generator import SpadeGenerator

_LOCK: Final = ".lock"
NOT_YET_WRITTEN: Final = WeightsInfo(sha256="0" * 64, bytes=1)
"""What a card says of weights that `add_version` writes."""


def add_version(
    models_dir: Path,
    card: ModelCard,
    generator: "SpadeGenerator",
    encoder: "ImageEncoder | None" = None,
    *,
    half: bool = False,
) -> Path:
    """Writes the version's folder and returns it. `card` says nothing yet of the weights' files and of the encoder.

    `half`: weights are kept in float16.

    Raises CardError: where there is such a version already, or the encoder does not fit the generator; then nothing is
    written. CheckpointError: where the weights cannot be written.
    """
    if encoder is not None:
        card = dataclasses.replace(card, encoder=EncoderInfo(config=encoder.config, weights=NOT_YET_WRITTEN))
    with sole_writer(models_dir):
        require_new(models_dir, card.reference)
        folder = version_folder(models_dir, card)
        clear_remains(folder)
        card = dataclasses.replace(card, weights=_written(folder / WEIGHTS_FILE, generator, half=half))
        if encoder is not None:
            weights = _written(folder / ENCODER_FILE, encoder, half=half)
            card = dataclasses.replace(card, encoder=EncoderInfo(config=encoder.config, weights=weights))
        write_card(folder, card)
    return folder


def _written(path: Path, network: "SpadeGenerator | ImageEncoder", *, half: bool) -> WeightsInfo:
    from spade.checkpoint import save_network  # torch takes a second to load

    save_network(path, network, half=half)
    return WeightsInfo(sha256=file_sha256(path), bytes=path.stat().st_size)


def copy_version(source: Path, models_dir: Path) -> ModelCard:
    """Adds the version whose card and weights lie in the folder `source`, verified. Returns its card.

    Raises CardError: where the card cannot be used, or there is such a version already. WeightsError: where a file is
    absent or is not the one that the card names.
    """
    card = read_card(source / CARD_FILE)
    files = files_of(card)
    for name, info in files.items():
        require_digest(source / name, info, card)
    with sole_writer(models_dir):
        require_new(models_dir, card.reference)
        folder = version_folder(models_dir, card)
        clear_remains(folder)
        for name in files:
            with written_whole(folder / name) as partial:
                shutil.copyfile(source / name, partial)
        write_card(folder, card)
    return card


def clear_remains(folder: Path) -> None:
    """Removes what is left in a version's `folder` of a version that never came to have its card, or lost it."""
    clear_partials(folder)
    if not (folder / CARD_FILE).exists():
        for name in (WEIGHTS_FILE, ENCODER_FILE):
            (folder / name).unlink(missing_ok=True)


def seal_card(folder: Path) -> ModelCard:
    """Accepts the card in a version's `folder` as somebody has changed it, and returns it. Raises CardError."""
    path = folder / CARD_FILE
    with sole_writer(models_folder(folder)):
        card = ModelCard.from_changed_json(_card_text(path), where=str(path))
        write_card(folder, card)
    return card


def remove_version(models_dir: Path, name: str, version: str) -> None:
    """Removes the version's folder, the card first, so that nobody finds it half there; of a link, the link only.

    The card need not be one that can be used, nor be there where weights are. Raises CardError: where the version ships
    with the program, or there is none.
    """
    folder = models_dir / name / version
    is_elsewhere = folder.parent.parent != models_dir or ".." in (name, version)
    if is_elsewhere or not _holds_version(folder, f"{name}@{version}"):
        shipped = Registry(None).find(f"{name}@{version}") is not None
        reason = "ships with the program, so it cannot be removed" if shipped else f"is not in {models_dir}"
        raise CardError(f"{name}@{version} {reason}")
    with sole_writer(models_dir):
        if folder.is_symlink():
            folder.unlink()
        else:
            with suppress(FileNotFoundError):  # somebody else has removed it meanwhile
                (folder / CARD_FILE).unlink(missing_ok=True)
                shutil.rmtree(folder)
        with suppress(OSError):  # the folder of other versions
            folder.parent.rmdir()


def _holds_version(folder: Path, reference: str) -> bool:
    """Whether there is a card, or what is left of a version without one; not weights drawn of one that is shipped."""
    if (folder / CARD_FILE).is_file():
        return True
    is_left = any((folder / name).is_file() for name in (WEIGHTS_FILE, ENCODER_FILE))
    return is_left and Registry(None).find(reference) is None


@contextmanager
def sole_writer(models_dir: Path) -> Iterator[None]:
    """Waits until nobody else adds to the folder or removes from it, and keeps others waiting meanwhile.

    Two that write the same version would leave one's card beside the other's weights.
    """
    with ExitStack() as stack:
        with suppress(OSError):  # where there are no locks, or nothing can be written, which the writer will tell
            models_dir.mkdir(parents=True, exist_ok=True)
            lock = stack.enter_context((models_dir / _LOCK).open("a", encoding="utf-8"))
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def files_of(card: ModelCard) -> dict[str, WeightsInfo]:
    """The weights' files by name; those that are drawn from a seed are not among them."""
    files = {} if card.weights.seed is not None else {WEIGHTS_FILE: card.weights}
    return files if card.encoder is None else {**files, ENCODER_FILE: card.encoder.weights}


def version_folder(models_dir: Path, card: ModelCard) -> Path:
    """Where the version lies in a models folder."""
    return models_dir / card.name / card.version


def models_folder(folder: Path) -> Path:
    """The models folder in which a version's `folder` lies."""
    return folder.resolve().parent.parent


def read_card(path: Path) -> ModelCard:
    """The card at `path`. Raises CardError."""
    return ModelCard.from_json(_card_text(path), where=str(path))


def _card_text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise CardError(f"{path}: {error}") from error


def require_digest(path: Path, expected: WeightsInfo, card: ModelCard) -> None:
    """Raises WeightsError: where the file is absent or is not the one that `card` names."""
    try:
        found = WeightsInfo(sha256=file_sha256(path), bytes=path.stat().st_size)
    except OSError as error:
        raise WeightsError(f"model {card.reference}: {path}: {error.strerror}") from error
    if found.sha256 != expected.sha256:
        raise WeightsError(f"model {card.reference}: {path} has sha256 {found.sha256}, its card says {expected.sha256}")
    if found.bytes != expected.bytes:
        raise WeightsError(f"model {card.reference}: {path} has {found.bytes} bytes, its card says {expected.bytes}")


def has_size(path: Path, expected: WeightsInfo) -> bool:
    """Whether the file is there and as large as its card says, which takes no time to find out."""
    return path.is_file() and path.stat().st_size == expected.bytes


def write_card(folder: Path, card: ModelCard) -> None:
    """Puts the card into the version's folder at one stroke: from then on the version is there."""
    with written_whole(folder / CARD_FILE) as partial:
        partial.write_text(card.to_json(), encoding="utf-8")


def require_new(models_dir: Path, reference: str) -> None:
    """Raises CardError: where there is such a version already, or one ships with the program."""
    if Registry(models_dir).find(reference) is not None:
        raise CardError(f"{reference}: there is such a model already; choose another version")
