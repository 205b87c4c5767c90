"""Label maps and instance maps as files: PNG bytes to arrays of ids and back. H W: pixels.

Accepted are 1-, 2-, 4-, 8- and 16-bit grey (the stored values are the ids), indexed PNG (the indices are the ids) and,
when a palette is named, RGB in exactly its colours. With a palette named, an indexed PNG is read by its colours too,
because optimizers turn RGB files into indexed ones without loss.
"""

import io
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from spade.errors import ConfigError, SpadeError
from spade.palettes import Palette, format_color
from spade.png import SIGNATURE, ColorType, PngError, PngFile, read_header, read_png, read_samples

Ids = TypeVar("Ids", bound=np.integer)

MAX_OFFENDERS = 32
UNKNOWN_IN_FILES = 255
OTHER_FORMATS = {
    b"\xff\xd8\xff": "JPEG changes ids; send PNG",
    b"GIF8": "GIF is not read; send PNG",
    b"BM": "BMP is not read; send PNG",
    b"II*\0": "TIFF is not read; send PNG",
    b"MM\0*": "TIFF is not read; send PNG",
    b"RIFF": "WebP is not read; send PNG",
    b"PK\x03\x04": "ZIP is not read here; send PNG files",
    SIGNATURE[:4]: "the PNG signature is damaged, as by a transfer in text mode; send the file as binary",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelMapLimits:
    """What is read at all; checked against the file's header before any pixel is decoded."""

    max_bytes: int = 32 * 1024 * 1024
    max_side_pixels: int = 8192
    max_pixels: int = 2**25

    def __post_init__(self) -> None:
        most = Image.MAX_IMAGE_PIXELS or 0
        if min(self.max_bytes, self.max_side_pixels, self.max_pixels) < 1 or self.max_pixels > most:
            raise ConfigError(f"label map limits must be at least 1 and max_pixels at most {most}: {self}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Offender:
    """An id, or a colour as `#rrggbb`, that may not occur: how often it does, and the box that holds all of it."""

    value: int | str
    count: int
    box: tuple[int, int, int, int]
    """left, top, right, bottom in pixels; right and bottom are one past the last."""


class LabelMapError(SpadeError):
    """A label map or instance map that cannot be used.

    `code` is a stable slug: empty, too-large, not-an-image, unsupported-format, corrupt, truncated, palette-needed,
    transparent, unknown-colors, ids-out-of-range, size-mismatch. `offenders` are the most frequent first, at most 32.
    """

    def __init__(self, *, code: str, file: str, detail: str, offenders: tuple[Offender, ...] = ()) -> None:
        super().__init__(f"{file}: {detail}")
        self.code = code
        self.file = file
        self.detail = detail
        self.offenders = offenders


def decode_label_map(
    data: bytes,
    *,
    file: str,
    label_nc: int,
    unknown_id: int | None,
    palette: Palette | None = None,
    limits: LabelMapLimits | None = None,
) -> NDArray[np.uint16]:
    """Read a label map as class ids, uint16 (H, W), 0..label_nc-1, unknown as label_nc.

    `unknown_id` and, where it is no class, 255 both mean unknown; None says that the model knows no unknown. `file` is
    the name for messages. Raises LabelMapError.
    """
    png = _open(data, file=file, limits=limits or LabelMapLimits())
    samples = _samples(png, file=file)
    if png.header.color_type in (ColorType.RGB, ColorType.RGB_ALPHA):
        if palette is None:
            raise LabelMapError(code="palette-needed", file=file, detail=_palette_needed(samples))
        ids = _ids_of_colors(_pack(samples), palette, file=file)
    elif png.header.color_type is ColorType.INDEXED and palette is not None:
        ids = _ids_of_colors(_indexed_colors(png, samples, file=file), palette, file=file)
    else:
        ids = samples[..., 0].astype(np.uint16)
    return _check_range(ids, file=file, label_nc=label_nc, unknown_id=unknown_id)


def decode_instance_map(data: bytes, *, file: str, limits: LabelMapLimits | None = None) -> NDArray[np.int32]:
    """Read an instance map, int32 (H, W): grey values, or the indices of an indexed PNG. Raises LabelMapError."""
    png = _open(data, file=file, limits=limits or LabelMapLimits())
    samples = _samples(png, file=file)
    if samples.shape[-1] != 1:
        detail = "an instance map must be grey (8- or 16-bit) or indexed; this one is RGB"
        raise LabelMapError(code="unsupported-format", file=file, detail=detail)
    return samples[..., 0].astype(np.int32)


def pixels_to_unpack(data: bytes) -> int:
    """Pixels that reading a file would unpack, told from its header; 0 for one that is refused before that."""
    try:
        header = read_header(data)
    except PngError:
        return 0
    pixels = header.width * header.height
    return pixels if pixels <= LabelMapLimits().max_pixels else 0


def resize_nearest(ids: NDArray[Ids], height: int, width: int) -> NDArray[Ids]:
    """Resize a map of ids (H, W) to (height, width): each pixel takes the id under its centre, as Pillow's NEAREST."""
    source_height, source_width = ids.shape
    rows = (2 * np.arange(height) + 1) * source_height // (2 * height)
    columns = (2 * np.arange(width) + 1) * source_width // (2 * width)
    resized: NDArray[Ids] = ids[rows[:, None], columns]
    return resized


def encode_ids_png(ids: NDArray[np.integer]) -> bytes:
    """Write a map of ids (H, W), 0..65535, as grey PNG: 8-bit if all ids fit, else 16-bit. Raises ValueError."""
    if ids.size == 0 or int(ids.min()) < 0 or int(ids.max()) > 0xFFFF:
        raise ValueError(f"ids of a map of shape {ids.shape} must be within 0..65535")
    dtype = np.uint8 if int(ids.max()) <= 0xFF else np.uint16
    buffer = io.BytesIO()
    Image.fromarray(ids.astype(dtype)).save(buffer, format="PNG", compress_level=3)
    return buffer.getvalue()


def class_histogram(ids: NDArray[np.integer]) -> dict[int, int]:
    """Pixels of each id that occurs, in the order of ids."""
    values, counts = np.unique(ids, return_counts=True)
    return dict(zip(values.tolist(), counts.tolist(), strict=True))


def _open(data: bytes, *, file: str, limits: LabelMapLimits) -> PngFile:
    if not data:
        raise LabelMapError(code="empty", file=file, detail="the file is empty (0 bytes)")
    if len(data) > limits.max_bytes:
        detail = f"the file has {len(data)} bytes; at most {limits.max_bytes} are read"
        raise LabelMapError(code="too-large", file=file, detail=detail)
    if not data.startswith(SIGNATURE):
        for magic, detail in OTHER_FORMATS.items():
            if data.startswith(magic):
                raise LabelMapError(code="unsupported-format", file=file, detail=detail)
        raise LabelMapError(code="not-an-image", file=file, detail="the file is no image that is known here; send PNG")
    try:
        header = read_header(data)
        width, height = header.width, header.height
        if max(width, height) > limits.max_side_pixels or width * height > limits.max_pixels:
            most = f"{limits.max_side_pixels} a side and {limits.max_pixels} in all"
            detail = f"the picture has {width}x{height} pixels; at most {most} are read"
            raise LabelMapError(code="too-large", file=file, detail=detail)
        return read_png(data)
    except PngError as error:
        raise LabelMapError(code=error.code, file=file, detail=error.detail) from error


def _samples(png: PngFile, *, file: str) -> NDArray[np.integer]:
    """Samples (H, W, C) without an alpha channel, which must be opaque everywhere."""
    try:
        samples = read_samples(png)
    except PngError as error:
        raise LabelMapError(code=error.code, file=file, detail=error.detail) from error
    if png.header.color_type in (ColorType.GREY_ALPHA, ColorType.RGB_ALPHA):
        _refuse_transparent(samples[..., -1] < 255, file=file)
        return samples[..., :-1]
    return samples


def _refuse_transparent(transparent: NDArray[np.bool_], *, file: str) -> None:
    if transparent.any():
        left, top, right, bottom = _box(transparent)
        where = f"{np.count_nonzero(transparent)} pixels in the box {left},{top}..{right},{bottom}"
        detail = f"{where} are transparent; paint them with a class or with unknown, and save without transparency"
        raise LabelMapError(code="transparent", file=file, detail=detail)


def _palette_needed(samples: NDArray[np.integer]) -> str:
    if np.array_equal(samples[..., 0], samples[..., 1]) and np.array_equal(samples[..., 0], samples[..., 2]):
        return "the file is RGB, though all its pixels are grey: save it as 8-bit grey if the values are class ids"
    return "the file is RGB: name the palette of its colours (for instance gaugan or model), or send class ids as grey"


def _pack(rgb: NDArray[np.integer]) -> NDArray[np.uint32]:
    """Colours (..., 3) as 0xRRGGBB."""
    packed = np.zeros((*rgb.shape[:-1], 4), dtype=np.uint8)
    packed[..., 2::-1] = rgb  # blue, green, red, 0: a little-endian integer
    return packed.view("<u4")[..., 0].astype(np.uint32, copy=False)


def _indexed_colors(png: PngFile, samples: NDArray[np.integer], *, file: str) -> NDArray[np.uint32]:
    indices = samples[..., 0]
    entries = _pack(np.frombuffer(png.palette, dtype=np.uint8)[: len(png.palette) // 3 * 3].reshape(-1, 3))
    if int(indices.max()) >= len(entries):
        detail = f"a pixel has index {int(indices.max())}, but the file's own palette has {len(entries)} colours"
        raise LabelMapError(code="corrupt", file=file, detail=detail)
    alphas = np.full(256, 255, dtype=np.uint8)
    transparency = np.frombuffer(png.transparency, dtype=np.uint8)[:256]
    alphas[: len(transparency)] = transparency
    _refuse_transparent(alphas[indices] < 255, file=file)
    colors: NDArray[np.uint32] = entries[indices]
    return colors


def _ids_of_colors(colors: NDArray[np.uint32], palette: Palette, *, file: str) -> NDArray[np.uint16]:
    # One entry for each of the 2**24 colours, 0 for none; the system provides only the pages that are touched.
    table = np.zeros(2**24, dtype=np.uint32)
    for color, class_id in palette.colors.items():
        table[color] = class_id + 1
    found = table[colors]
    wrong = found == 0
    if wrong.any():
        detail = f"{_count(colors, wrong, 'colours')} not in the palette {palette.name}; colours must be exact"
        offenders = _offenders(colors, wrong, shown=format_color)
        raise LabelMapError(code="unknown-colors", file=file, detail=detail, offenders=offenders)
    return (found - 1).astype(np.uint16)


def _check_range(ids: NDArray[np.uint16], *, file: str, label_nc: int, unknown_id: int | None) -> NDArray[np.uint16]:
    wrong = ids >= label_nc
    if unknown_id is not None:
        unknown = ids == unknown_id
        if label_nc <= UNKNOWN_IN_FILES:
            unknown |= ids == UNKNOWN_IN_FILES
        ids[unknown] = label_nc
        wrong &= ~unknown
    if wrong.any():
        allowed = f"0..{label_nc - 1}" + ("" if unknown_id is None else f", and {unknown_id} or 255 for unknown")
        detail = f"{_count(ids, wrong, 'ids')} not of this model, whose ids are {allowed}"
        raise LabelMapError(
            code="ids-out-of-range", file=file, detail=detail, offenders=_offenders(ids, wrong, shown=int)
        )
    return ids


def _count(values: NDArray[np.integer], wrong: NDArray[np.bool_], kind: str) -> str:
    different = np.count_nonzero(np.bincount(values[wrong]))
    listed = f" (the {MAX_OFFENDERS} most frequent are listed)" if different > MAX_OFFENDERS else ""
    return f"{np.count_nonzero(wrong)} pixels have {different} {kind if different > 1 else kind[:-1]}{listed}"


def _offenders(
    values: NDArray[np.integer], wrong: NDArray[np.bool_], *, shown: Callable[[int], int | str]
) -> tuple[Offender, ...]:
    """The most frequent values at the true pixels of `wrong`, most frequent first."""
    counts = np.bincount(values[wrong])
    found = np.flatnonzero(counts)
    order = found[np.argsort(-counts[found], kind="stable")][:MAX_OFFENDERS]
    return tuple(
        Offender(value=shown(int(value)), count=int(counts[value]), box=_box(wrong & (values == value)))
        for value in order
    )


def _box(mask: NDArray[np.bool_]) -> tuple[int, int, int, int]:
    """The smallest half-open box (left, top, right, bottom) that holds all true pixels; the mask has at least one."""
    rows = np.flatnonzero(mask.any(axis=1))
    columns = np.flatnonzero(mask.any(axis=0))
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1
