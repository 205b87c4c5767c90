"""A model's card: what it is, what its classes are, where its weights come from. Light: needs no torch."""

import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Self

from model_store.errors import CardError
from model_store.measured import Measured
from model_store.thumbnails import require_thumbnail
from spade.config import EncoderConfig, GeneratorConfig
from spade.errors import ConfigError
from spade.records import record_from_mapping, record_to_mapping
from spade.semantics_form import reads_pictures

UNKNOWN_NAME = "unknown"
"""What stands for unknown pixels wherever classes are named."""

_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
_NUMBER = "(0|[1-9][0-9]{0,8})"  # 01 would be another version than 1, and neither the newer one
_VERSION = re.compile(rf"{_NUMBER}(\.{_NUMBER}){{0,3}}")
_REFERENCE = re.compile(f"{_NAME.pattern}@{_VERSION.pattern}")
_COLOR = re.compile(r"#[0-9a-f]{6}")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_SURROGATE = re.compile("[\ud800-\udfff]")
_DIGEST_KEY = "card_sha256"
_MAX_SEED = 2**63 - 1
_MAX_BYTES = 2**63 - 1


class Training(StrEnum):
    """Whether a model has seen photographs. Pictures of an untrained model are patterns, not photographs."""

    UNTRAINED = "untrained"
    TRAINED = "trained"


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelClass:
    """One class of a label map. `color` is `#rrggbb` in lower case and unique within its model."""

    id: int
    name: str
    color: str

    @property
    def rgb(self) -> int:
        """The colour as 0xRRGGBB."""
        return int(self.color[1:], 16)


@dataclass(frozen=True, slots=True, kw_only=True)
class WeightsInfo:
    """The one weights file that belongs to a card. With `seed`, it is drawn at first use rather than shipped."""

    sha256: str
    bytes: int
    seed: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StylePreset:
    """A style by name: the latent that a seed gives, or that `latent` spells out, as pictures' styles do.

    Raises CardError: where there is not one of both, or the thumbnail is no small JPEG.
    """

    name: str
    seed: int | None = None
    latent: tuple[float, ...] | None = None
    thumbnail: str | None = None
    """A small picture in this style, JPEG in base64; None where nobody has made one."""

    def __post_init__(self) -> None:
        _require((self.seed is None) != (self.latent is None), f"style {self.name!r}: give seed or latent, one of both")
        _require(self.seed is None or 0 <= self.seed <= _MAX_SEED, f"style {self.name!r}: seed must be 0 to 2**63 - 1")
        if self.thumbnail is not None:
            require_thumbnail(self.thumbnail, where=f"style {self.name!r}")


@dataclass(frozen=True, slots=True, kw_only=True)
class EncoderInfo:
    """What finds the style of a picture: an encoder that was trained with the generator, in a file of its own."""

    config: EncoderConfig
    weights: WeightsInfo


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelCard:
    """A model of the registry. Sizes, label counts and the like come from `generator`, the architecture.

    Raises CardError: where the values contradict one another.
    """

    name: str
    version: str
    title: str
    description: str
    training: Training
    licence: str
    data: str
    """What it was trained on and under which terms; for an untrained model, that there was none."""
    generator: GeneratorConfig
    classes: tuple[LabelClass, ...]
    """Class i at place i; the unknown class is not among them."""
    weights: WeightsInfo
    encoder: EncoderInfo | None = None
    """None for a model that cannot read styles from pictures."""
    styles: tuple[StylePreset, ...] = ()
    measured: Measured | None = None
    """What `spade evaluate --card` found; None where nothing was measured."""

    def __post_init__(self) -> None:
        _require(bool(_NAME.fullmatch(self.name)), f"name {self.name!r}: use a-z, 0-9 and -, at most 63")
        _require(bool(_VERSION.fullmatch(self.version)), f"version {self.version!r}: use numbers like 1, 10 or 1.2")
        _require(not reads_pictures(self.generator), "a model that reads pictures (label_nc 0) cannot be served")
        texts = (self.title, self.description, self.licence, self.data)
        names_of_all = (*(one.name for one in self.classes), *(style.name for style in self.styles))
        for text in (*texts, *names_of_all):
            _require(text.isprintable(), f"{text!r}: control characters and line breaks are not allowed")
        _require(all(names_of_all), "classes, styles: each needs a name")
        ids = [label_class.id for label_class in self.classes]
        label_nc = self.generator.label_nc
        are_in_order = len(ids) == label_nc and ids == list(range(label_nc))
        _require(are_in_order, f"classes: their ids must be 0 to {label_nc - 1}, in order")
        for label_class in self.classes:
            _require(bool(_COLOR.fullmatch(label_class.color)), f"class {label_class.id}: color must be like #9ceedd")
        _require_unique("name", (label_class.name for label_class in self.classes))
        _require_unique("color", (label_class.color for label_class in self.classes))
        names = [style.name for style in self.styles]
        _require(self.latent or not names, "styles: the model has no latent, so there are none")
        _require(len(set(names)) == len(names), "styles: a name is given twice")
        latent_dim = self.generator.latent_dim
        for style in self.styles:
            fits = style.latent is None or len(style.latent) == latent_dim
            _require(fits, f"style {style.name!r}: latent must be {latent_dim} numbers, as the generator's is")
        _require_weights("weights", self.weights)
        if self.encoder is not None:
            given = self.encoder.config.latent_dim
            _require(given == latent_dim, f"encoder: latent_dim is {given}, the generator's {latent_dim}")
            _require(self.encoder.weights.seed is None, "encoder: its weights cannot come from a seed")
            _require_weights("encoder", self.encoder.weights)

    @property
    def label_nc(self) -> int:
        """Number of classes, unknown not counted."""
        return self.generator.label_nc

    @property
    def unknown_id(self) -> int | None:
        """Id of unknown pixels (`label_nc`), or None where the model wants a class for every pixel."""
        return self.generator.unknown_id

    @property
    def uses_instances(self) -> bool:
        """Whether an instance map changes the picture."""
        return self.generator.instance_edges

    @property
    def class_ids(self) -> dict[str, int]:
        """Ids by class name, with `unknown` where the model has that and no class of the name."""
        ids = {} if self.unknown_id is None else {UNKNOWN_NAME: self.unknown_id}
        return ids | {label_class.name: label_class.id for label_class in self.classes}

    @property
    def styles_by_name(self) -> dict[str, StylePreset]:
        """The style presets by their names."""
        return {style.name: style for style in self.styles}

    @property
    def height(self) -> int:
        """The model's own height in pixels."""
        return self.generator.height

    @property
    def width(self) -> int:
        """The model's own width in pixels."""
        return self.generator.width

    @property
    def latent(self) -> bool:
        """Whether the seed changes the picture: only a model with a latent vector is given one."""
        return self.generator.latent_dim is not None

    @property
    def reference(self) -> str:
        """`name@version`."""
        return f"{self.name}@{self.version}"

    @property
    def version_key(self) -> tuple[int, ...]:
        """Orders versions by their numbers, so that 10 comes after 9."""
        return tuple(int(part) for part in self.version.split("."))

    def to_dict(self) -> dict[str, Any]:
        """The JSON object of card.json."""
        return record_to_mapping(self)

    def to_json(self) -> str:
        """The text of card.json, with a digest of all that it says."""
        values = self.to_dict()
        return json.dumps(values | {_DIGEST_KEY: _digest(values)}, indent=2, ensure_ascii=False) + "\n"

    @classmethod
    def from_json(cls, text: str, *, where: str = "card.json") -> Self:
        """Reads card.json strictly: unknown keys, missing keys, wrong types and a wrong digest are errors.

        Raises CardError: naming `where` and the first thing that does not fit.
        """
        values, digest = cls._values_and_digest(text, where)
        card = cls._from_values(values, where)
        if digest != _digest(values):
            raise CardError(
                f"{where}: it was changed after it was written: {_DIGEST_KEY} is {digest}, not {_digest(values)}; "
                "`spade-serve models seal FOLDER` accepts what it says now"
            )
        return card

    @classmethod
    def from_changed_json(cls, text: str, *, where: str = "card.json") -> Self:
        """As `from_json`, whatever the digest."""
        values, _ = cls._values_and_digest(text, where)
        return cls._from_values(values, where)

    @staticmethod
    def _values_and_digest(text: str, where: str) -> tuple[dict[str, Any], str | None]:
        try:
            values = json.loads(text)
        except (ValueError, RecursionError) as error:  # also numbers of thousands of digits, and brackets in brackets
            raise CardError(f"{where}: not JSON: {error}") from error
        if not isinstance(values, dict):
            raise CardError(f"{where}: it must be an object")
        if _SURROGATE.search(json.dumps(values, ensure_ascii=False)):
            raise CardError(f"{where}: it holds half a surrogate pair, which is no text")
        return values, values.pop(_DIGEST_KEY, None)

    @classmethod
    def _from_values(cls, values: dict[str, Any], where: str) -> Self:
        try:
            return record_from_mapping(cls, values, where=where)
        except ConfigError as error:
            raise CardError(str(error) if str(error).startswith(where) else f"{where}: {error}") from error
        except CardError as error:
            raise CardError(f"{where}: {error}") from error


def _digest(values: dict[str, Any]) -> str:
    """Of what a card says, however its text is laid out."""
    text = json.dumps(values, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _require(holds: bool, message: str) -> None:
    if not holds:
        raise CardError(message)


def _require_weights(what: str, weights: WeightsInfo) -> None:
    _require(bool(_SHA256.fullmatch(weights.sha256)), f"{what}: sha256 must be 64 hexadecimal digits")
    _require(0 < weights.bytes <= _MAX_BYTES, f"{what}: bytes must be positive, and at most 2**63 - 1")
    _require(weights.seed is None or 0 <= weights.seed <= _MAX_SEED, f"{what}: seed must be 0 to 2**63 - 1")


def _require_unique(what: str, values: Iterable[str]) -> None:
    value, count = Counter(values).most_common(1)[0]
    _require(count == 1, f"classes: {what} {value!r} is given {count} times")


def is_reference(text: str) -> bool:
    """Whether it is name@version of a card that there could be."""
    return _REFERENCE.fullmatch(text) is not None
