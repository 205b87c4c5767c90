"""Which models exist: cards that ship with the program, and cards in a models folder. Light: needs no torch.

Both have the layout `<name>/<version>/card.json`; weights lie in the models folder beside where the card would be, as
`<name>/<version>/model.safetensors` and, of a model that reads styles from pictures, `encoder.safetensors`. Weights
that ship with the program lie beside their card.
"""

import hashlib
import logging
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import platformdirs

from model_store.card import ModelCard, WeightsInfo
from model_store.errors import CardError, UnknownModelError, UnusableModelError, WeightsError
from spade.palettes import Palette, gaugan_palette

BUILT_IN_MODELS = Path(__file__).parent / "models"
CARD_FILE = "card.json"
WEIGHTS_FILE = "model.safetensors"
ENCODER_FILE = "encoder.safetensors"
LATEST = "latest"
BLACK = 0x000000

_log = logging.getLogger(__name__)

FileState = tuple[int, int]
"""Modification time in nanoseconds and size in bytes: a file that shows the same two is not read again."""


def default_models_folder() -> Path:
    """Where models are kept when nothing else is said, `~/.local/share/spade-serving/models` on Linux."""
    return platformdirs.user_data_path("spade-serving", appauthor=False) / "models"


def _log_unusable(error: UnusableModelError) -> None:
    _log.warning(
        "a model cannot be used", extra={"model": error.reference, "path": str(error.path), "error": str(error)}
    )


class Registry:
    """Models by name and version. Safe to share between threads; notices models that are added while it is in use.

    A version whose card cannot be read, is not in its place or is there already keeps nobody from the others.

    `models_dir` is where weights are kept and further models may lie; None knows the built-in cards only. `built_in`
    is where those lie that ship with the program; None knows the models folder only. `report` is told once of each
    version that cannot be used.
    """

    def __init__(
        self,
        models_dir: Path | None,
        *,
        built_in: Path | None = BUILT_IN_MODELS,
        report: Callable[[UnusableModelError], None] = _log_unusable,
    ) -> None:
        self._models_dir = models_dir
        self._built_in = built_in
        self._report = report
        self._told: dict[Path, str] = {}
        self._cards: dict[Path, tuple[FileState, ModelCard]] = {}
        self._verified: dict[Path, tuple[FileState, str]] = {}
        self._lock = threading.Lock()

    def cards(self) -> list[ModelCard]:
        """All cards that can be used, by name, then by version, newest version last."""
        cards, unusable = self._look()
        self._tell(unusable)
        return cards

    def unusable(self) -> list[UnusableModelError]:
        """Why other versions cannot be used, by their places."""
        return self._look()[1]

    def find(self, reference: str) -> ModelCard | UnusableModelError | None:
        """What is there as `name@version`, be it of use or not."""
        cards, unusable = self._look()
        found: list[ModelCard | UnusableModelError] = [*cards, *unusable]
        return next((one for one in found if one.reference == reference), None)

    def card(self, name: str, version: str = LATEST) -> ModelCard:
        """The card of a model; `latest` is its highest version that can be used.

        Raises UnknownModelError: listing what exists. UnusableModelError: where it is there and cannot be used.
        """
        cards, unusable = self._look()
        versions = {card.version: card for card in cards if card.name == name}
        wanted = next(reversed(versions), LATEST) if version == LATEST else version
        if wanted in versions:
            self._tell(unusable)
            return versions[wanted]
        for error in unusable:
            if error.name == name and wanted in (LATEST, error.version):
                raise error
        if not versions:
            names = ", ".join(dict.fromkeys(card.name for card in cards))
            raise UnknownModelError(f"there is no model {name!r}; there are: {names}")
        raise UnknownModelError(f"model {name!r} has no version {version!r}; it has: {', '.join(versions)}")

    def resolve(self, reference: str) -> ModelCard:
        """The card for `name` (its latest version) or `name@version`. Raises as `card` does."""
        name, _, version = reference.partition("@")
        return self.card(name, version or LATEST)

    def palettes(self, card: ModelCard) -> dict[str, Palette]:
        """By name: `model`, in the colours of the card and black for unknown, and `gaugan` if it has such classes."""
        palettes = (_model_palette(card), gaugan_palette(_short_class_ids(card)))
        return {palette.name: palette for palette in palettes if palette.colors}

    def palette(self, card: ModelCard, name: str) -> Palette:
        """One of the model's palettes.

        Raises UnknownModelError: listing the palettes of the model.
        """
        palettes = self.palettes(card)
        if name not in palettes:
            raise UnknownModelError(f"model {card.reference} has no palette {name!r}; it has: {', '.join(palettes)}")
        return palettes[name]

    def weights_file(self, card: ModelCard) -> Path:
        """Where the weights of `card` belong, whether they are there or not.

        Raises WeightsError: where the registry has no models folder, and the weights do not ship with the program.
        """
        return self._file(card, WEIGHTS_FILE)

    def weights_path(self, card: ModelCard) -> Path:
        """The weights of `card`, verified: the whole file is hashed once per process, and again when it changes.

        Raises WeightsError: where the file is absent or is not the one that the card names.
        """
        return self._verified_path(card, WEIGHTS_FILE, card.weights)

    def encoder_path(self, card: ModelCard) -> Path:
        """The encoder's weights, verified as `weights_path` does. Raises WeightsError: also where there is none."""
        if card.encoder is None:
            raise WeightsError(f"model {card.reference}: it has no encoder, so it cannot read styles from pictures")
        return self._verified_path(card, ENCODER_FILE, card.encoder.weights)

    def _file(self, card: ModelCard, name: str) -> Path:
        if self._built_in is not None:
            shipped = self._built_in / card.name / card.version / name
            if shipped.exists():
                return shipped
        if self._models_dir is None:
            raise WeightsError(f"model {card.reference}: no models folder is set, so its weights cannot be kept")
        return self._models_dir / card.name / card.version / name

    def _verified_path(self, card: ModelCard, name: str, expected: WeightsInfo) -> Path:
        path = self._file(card, name)
        try:
            state = _file_state(path)
        except FileNotFoundError as error:
            raise WeightsError(f"model {card.reference}: its weights {path} do not exist") from error
        with self._lock:
            verified = self._verified.get(path)
            if verified is None or verified[0] != state:
                verified = (state, file_sha256(path))
                self._verified[path] = verified
        if verified[1] != expected.sha256:
            raise WeightsError(
                f"model {card.reference}: {path} has sha256 {verified[1]}, its card says {expected.sha256}; "
                "the file was changed or damaged: delete it, or restore it from where it came"
            )
        return path

    def _look(self) -> tuple[list[ModelCard], list[UnusableModelError]]:
        found: dict[str, ModelCard] = {}
        unusable = []
        for path in self._card_paths():
            try:
                card = self._read_card(path)
                if card.reference in found:
                    raise CardError(f"there is already a model {card.reference}; give this one another version")
            except CardError as error:
                unusable.append(UnusableModelError(path, str(error)))
            else:
                found[card.reference] = card
        return sorted(found.values(), key=lambda card: (card.name, card.version_key)), unusable

    def _tell(self, unusable: list[UnusableModelError]) -> None:
        told, self._told = self._told, {error.path: str(error) for error in unusable}
        for error in unusable:
            if told.get(error.path) != str(error):
                self._report(error)

    def _card_paths(self) -> Iterator[Path]:
        for folder in (self._built_in, self._models_dir):
            if folder is not None:
                yield from sorted(folder.glob(f"[!.]*/[!.]*/{CARD_FILE}"))

    def _read_card(self, path: Path) -> ModelCard:
        """Raises CardError."""
        try:
            state = _file_state(path)
            cached = self._cards.get(path)
            if cached is not None and cached[0] == state:
                return cached[1]
            card = ModelCard.from_json(path.read_text(encoding="utf-8"), where=CARD_FILE)
        except OSError as error:
            raise CardError(f"{CARD_FILE}: {error.strerror}") from error
        except UnicodeDecodeError as error:
            raise CardError(f"{CARD_FILE}: {error}") from error
        if (card.name, card.version) != (path.parent.parent.name, path.parent.name):
            raise CardError(
                f"{CARD_FILE}: it describes {card.reference}, but its folder must be {card.name}/{card.version}"
            )
        self._cards[path] = (state, card)
        return card


def _model_palette(card: ModelCard) -> Palette:
    colors = {label_class.rgb: label_class.id for label_class in card.classes}
    if card.unknown_id is not None:
        colors.setdefault(BLACK, card.unknown_id)
    return Palette(name="model", colors=colors)


def _short_class_ids(card: ModelCard) -> dict[str, int]:
    """Ids by class name, short ones too: COCO-Stuff says `sky-other` and `water-other` for GauGAN's `sky`, `water`."""
    return {name.removesuffix("-other"): class_id for name, class_id in card.class_ids.items()} | card.class_ids


def _file_state(path: Path) -> FileState:
    status = path.stat()
    return status.st_mtime_ns, status.st_size


def file_sha256(path: Path) -> str:
    """The digest of a file, as cards have it."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
