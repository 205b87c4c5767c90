"""Request bodies: what was sent, as parameters and files, whether it came as multipart, as base64 or as object keys."""

import base64
import binascii
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Final, Generic, TypeVar

from flask import Request
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, JsonValue
from werkzeug.datastructures import FileStorage

from api.errors import UnsupportedContentError
from api.files import SentFile, refuse_files
from api.json_texts import MAX_JSON_BYTES, MAX_PARAMETERS_BYTES, SPARE_VALUES, most_values, read_json
from api.parameters import JobParameters, MapParameters, refuse_parameter
from api.stored_inputs import StoredInputs
from api.zipped_maps import InstanceMaps, LabelMaps, is_zip, read_zipped_maps
from workers.file_names import MAX_NAME_LENGTH, printable
from workers.storage import ObjectStore

Parameters = TypeVar("Parameters", bound=MapParameters)
KEY_PATTERN: Final = re.compile(r"inputs/[^\x00-\x1f]+")
PREFIX_PATTERN: Final = re.compile(r"inputs/[^\x00-\x1f]*")
FILE_PARTS: Final = ("label_map", "instance_map", "palette", "params", "style_image")


@dataclass(frozen=True, slots=True, kw_only=True)
class Body(Generic[Parameters]):
    """A request body. `instance_maps` is as long as `label_maps`, with None where there is none; `style_image` is the
    picture whose style is wanted.

    `prefix` is that of a bulk job, which has its label maps below it and none here.
    """

    parameters: Parameters
    label_maps: tuple[SentFile, ...]
    instance_maps: tuple[SentFile | None, ...]
    palette_csv: SentFile | None
    style_image: SentFile | None = None
    prefix: str | None = None


class EncodedFile(BaseModel):
    """A file within JSON."""

    model_config = ConfigDict(extra="forbid", strict=True)

    file: str = Field(min_length=1, max_length=MAX_NAME_LENGTH, description="Its name, for messages and downloads")
    content: str = Field(description="The bytes in base64", json_schema_extra={"contentEncoding": "base64"})


def _object_key(key: str) -> str:
    if KEY_PATTERN.fullmatch(key) is None:
        raise ValueError("it must begin with inputs/, like inputs/mine/lake.png, and have no control characters")
    return _plain_path(key)


def _object_prefix(prefix: str) -> str:
    if PREFIX_PATTERN.fullmatch(prefix) is None:
        raise ValueError("it must begin with inputs/, like inputs/mine/, and have no control characters")
    _plain_path(prefix.rpartition("/")[0])  # what follows is the beginning of a name
    return prefix


def _plain_path(key: str) -> str:
    """Path segments that mean another folder, or none, are no names of objects; clients and stores fold them."""
    if not {"", ".", ".."}.isdisjoint(key.split("/")):
        raise ValueError("no part of it between slashes may be empty, '.' or '..'")
    return key


ObjectKey = Annotated[
    str,
    Field(max_length=1000, json_schema_extra={"pattern": f"^{KEY_PATTERN.pattern}$"}),
    AfterValidator(_object_key),
]
ObjectPrefix = Annotated[
    str,
    Field(max_length=1000, json_schema_extra={"pattern": f"^{PREFIX_PATTERN.pattern}$"}),
    AfterValidator(_object_prefix),
]


STYLE_IMAGE: Final = "A picture (PNG, JPEG, WebP) whose style all pictures take, of models that read styles"
MAP_SOURCES: Final[dict[str, dict[str, JsonValue]]] = {
    "label_maps": {"type": "array", "minItems": 1},
    "label_map_keys": {"type": "array", "minItems": 1},
    "prefix": {"type": "string"},
}
"""Where label maps come from, of which a body has exactly one, as JSON Schema."""
OBJECTS: Final = "Objects under `inputs/` in the bucket; under `inputs/OWNER/` where the service has API keys"


class JsonBody(BaseModel, Generic[Parameters]):
    """A job as JSON: label maps in one of three ways, as base64, as object keys, or as a prefix of object keys."""

    model_config = ConfigDict(
        extra="forbid",
        strict=True,
        json_schema_extra={
            "oneOf": [{"required": [way], "properties": {way: schema}} for way, schema in MAP_SOURCES.items()]
        },
    )

    params: Parameters
    label_maps: list[EncodedFile] | None = None
    instance_maps: list[EncodedFile] | None = Field(default=None, description="One for each label map, in order")
    label_map_keys: list[ObjectKey] | None = Field(default=None, description=OBJECTS)
    instance_map_keys: list[ObjectKey] | None = Field(default=None, description="One for each label map, in order")
    prefix: ObjectPrefix | None = Field(
        default=None,
        description="All objects whose keys begin so, in order; `NAME.instance.png` is the instance map of `NAME.png`. "
        "As a job they are a bulk job, whose maps are checked one by one when their turn comes.",
    )
    palette_csv: str | None = Field(default=None, max_length=2**18, description="A palette as CSV text")


class JobBody(JsonBody[JobParameters]):
    """A job as JSON: label maps in one of three ways, as base64, as object keys, or as a prefix of object keys."""

    style_image: EncodedFile | None = Field(default=None, description=STYLE_IMAGE)


class MapsBody(JsonBody[MapParameters]):
    """Label maps to be checked, as JSON: as base64, as object keys, or as a prefix of object keys."""


def read_job_body(request: Request, *, objects: ObjectStore, max_files: int, input_prefix: str) -> Body[JobParameters]:
    """The body of a job, whose objects in the bucket have to lie under `input_prefix`.

    Raises MalformedBodyError, UnsupportedContentError or a RefusedError.
    """
    inputs = StoredInputs(objects=objects, prefix=input_prefix)
    return _read_body(request, JobBody, JobParameters, inputs=inputs, max_files=max_files, for_job=True)


def read_maps_body(request: Request, *, objects: ObjectStore, max_files: int, input_prefix: str) -> Body[MapParameters]:
    """The body of a check of label maps. Raises as `read_job_body`."""
    inputs = StoredInputs(objects=objects, prefix=input_prefix)
    return _read_body(request, MapsBody, MapParameters, inputs=inputs, max_files=max_files, for_job=False)


def _read_body(
    request: Request,
    body_type: type[JsonBody[Parameters]],
    parameters_type: type[Parameters],
    *,
    inputs: StoredInputs,
    max_files: int,
    for_job: bool,
) -> Body[Parameters]:
    if request.mimetype == "multipart/form-data":
        body = _read_multipart(request, parameters_type, max_files=max_files)
    elif request.mimetype == "application/json":
        body = _read_json(request, body_type, inputs=inputs, max_files=max_files, for_job=for_job)
    else:
        sent = f"{request.mimetype!r}" if request.mimetype else "no content type"
        raise UnsupportedContentError(f"the request has {sent}; send multipart/form-data or application/json")
    if body.style_image is not None and not for_job:
        raise refuse_parameter("style_image", "unknown-part", "label maps are checked without a style; leave it out")
    if not body.label_maps and body.prefix is None:
        raise refuse_files("no-label-map", "there is no label map; send at least one")
    if len(body.label_maps) > max_files:
        detail = f"there are more than {max_files} label maps, which is the most of one job; send several jobs"
        raise refuse_files("too-many-files", detail)
    return body


def _read_multipart(request: Request, parameters_type: type[Parameters], *, max_files: int) -> Body[Parameters]:
    for name in [*request.form, *request.files]:
        if name not in FILE_PARTS:
            detail = (
                f"there is no such part; there are: {', '.join(FILE_PARTS[:-1])}. Parameters go into params, as JSON"
            )
            raise refuse_parameter(name, "unknown-part", detail)
        if name in request.form and name != "params":
            raise refuse_parameter(name, "not-a-file", "send this part as a file, with a file name")
    palette, style_image = (_sent_file(request, part) for part in ("palette", "style_image"))
    parameters = read_json(_params_text(request), parameters_type, what="params", most_values=SPARE_VALUES)
    label_maps, instance_maps = _sent_maps(request, max_files=max_files)
    return Body(
        parameters=parameters,
        label_maps=label_maps,
        instance_maps=instance_maps,
        palette_csv=palette,
        style_image=style_image,
    )


def _sent_maps(request: Request, *, max_files: int) -> tuple[LabelMaps, InstanceMaps]:
    label_maps, instance_maps = request.files.getlist("label_map"), request.files.getlist("instance_map")
    zipped = next((file for file in [*label_maps, *instance_maps] if is_zip(file)), None)
    if zipped is None:
        files = _sent_files(label_maps, "label_map")
        return files, _match(files, _sent_files(instance_maps, "instance_map"))
    if [zipped] != [*label_maps, *instance_maps] or zipped not in label_maps:
        detail = "a ZIP comes alone, as the one label_map; instance maps lie in it: NAME.instance.png for NAME.png"
        raise refuse_files("zip-not-alone", detail, file=printable(zipped.filename or ""))
    return read_zipped_maps(zipped, max_files=max_files, max_bytes=request.max_content_length or 0)


def _params_text(request: Request) -> bytes:
    texts, files = request.form.getlist("params"), request.files.getlist("params")
    count = len(texts) + len(files)
    if count != 1:
        detail = f"there are {count} parts named params; send one, with the parameters as a JSON object"
        raise refuse_parameter("params", "missing" if not count else "too-many", detail)
    text = texts[0].encode() if texts else files[0].read(MAX_PARAMETERS_BYTES + 1)
    if len(text) > MAX_PARAMETERS_BYTES:
        raise refuse_parameter("params", "too-large", f"it has more than {MAX_PARAMETERS_BYTES} bytes")
    return text


def _sent_file(request: Request, part: str) -> SentFile | None:
    files = _sent_files(request.files.getlist(part), part)
    if len(files) > 1:
        raise refuse_parameter(part, "too-many", f"there are {len(files)} of them; send one")
    return files[0] if files else None


def _sent_files(storages: Sequence[FileStorage], part: str) -> tuple[SentFile, ...]:
    def reader(storage: FileStorage) -> Callable[[], bytes]:
        def read() -> bytes:
            storage.stream.seek(0)
            return storage.stream.read()

        return read

    return tuple(
        SentFile(name=_file_name(storage.filename or f"{part}[{index}]"), read=reader(storage))
        for index, storage in enumerate(storages)
    )


def _read_json(
    request: Request, body_type: type[JsonBody[Parameters]], *, inputs: StoredInputs, max_files: int, for_job: bool
) -> Body[Parameters]:
    request.max_content_length = min(request.max_content_length or MAX_JSON_BYTES, MAX_JSON_BYTES)
    text = request.get_data(cache=False)
    request.stream.read(1)  # raises where a body of unannounced length was cut at the limit
    sent = read_json(text, body_type, what="the request", most_values=most_values(max_files))
    del text
    ways = [way for way in MAP_SOURCES if getattr(sent, way) is not None]
    if len(ways) != 1:
        detail = f"send exactly one of label_maps, label_map_keys and prefix, not {' and '.join(ways) or 'none'}"
        raise refuse_parameter(ways[-1] if ways else "label_maps", "one-source", detail)
    label_maps: tuple[SentFile, ...] = ()
    instance_maps: tuple[SentFile | None, ...] = ()
    if sent.prefix is not None and for_job:
        inputs.check_prefix(sent.prefix)  # listed later
    elif sent.prefix is not None:
        label_maps, instance_maps = inputs.listed(sent.prefix, max_files=max_files)
    elif sent.label_maps is not None:
        label_maps = tuple(_encoded_file(file) for file in sent.label_maps)
        instance_maps = _match(label_maps, [_encoded_file(file) for file in sent.instance_maps or ()])
    else:
        label_maps = tuple(inputs.file(key) for key in sent.label_map_keys or ())
        instance_maps = _match(label_maps, [inputs.file(key) for key in sent.instance_map_keys or ()])
    palette = sent.palette_csv
    style_image = sent.style_image if isinstance(sent, JobBody) else None
    return Body(
        parameters=sent.params,
        label_maps=label_maps,
        instance_maps=instance_maps,
        palette_csv=None if palette is None else SentFile(name="palette_csv", read=palette.encode),
        style_image=None if style_image is None else _encoded_file(style_image),
        prefix=sent.prefix if for_job else None,
    )


def _encoded_file(file: EncodedFile) -> SentFile:
    def read() -> bytes:
        try:
            return base64.b64decode(file.content, validate=True)
        except (binascii.Error, ValueError) as error:
            raise refuse_files("not-base64", f"its content is not base64: {error}", file=file.file) from error

    return SentFile(name=_file_name(file.file), read=read)


def _match(label_maps: Sequence[SentFile], instance_maps: Sequence[SentFile]) -> tuple[SentFile | None, ...]:
    if instance_maps and len(instance_maps) != len(label_maps):
        counts = f"there are {len(label_maps)} label maps and {len(instance_maps)} instance maps"
        raise refuse_files("instance-map-count", f"{counts}; send one for each label map, in the same order, or none")
    return tuple(instance_maps) if instance_maps else (None,) * len(label_maps)


def _file_name(path: str) -> str:
    """The name of a sent file without its folders, which are the sender's affair."""
    return printable(path.replace("\\", "/").rsplit("/", 1)[-1])
