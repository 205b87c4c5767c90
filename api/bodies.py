"""Request bodies: what was sent, as parameters and files, whether it came as multipart, as base64 or as object keys."""

import base64
import binascii
import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Final, Generic, TypeVar

from flask import Request
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, ValidationError
from werkzeug.datastructures import FileStorage

from api.errors import MalformedBodyError, ParametersRefusedError, UnsupportedContentError
from api.files import MAX_NAME_LENGTH, SentFile, pair_by_name, printable, refuse_files
from api.parameters import JobParameters, MapParameters, faults_of, refuse_parameter
from api.zipped_maps import InstanceMaps, LabelMaps, is_zip, read_zipped_maps
from workers.bulk import INPUT_PREFIX
from workers.errors import ObjectMissingError
from workers.storage import ObjectStore

Parameters = TypeVar("Parameters", bound=MapParameters)
FILE_PARTS: Final = ("label_map", "instance_map", "palette", "params", "style_image")


@dataclass(frozen=True, slots=True, kw_only=True)
class Body(Generic[Parameters]):
    """A request body. `instance_maps` is as long as `label_maps`, with None where there is none.

    `prefix` is that of a bulk job, which has its label maps below it and none here.
    """

    parameters: Parameters
    label_maps: tuple[SentFile, ...]
    instance_maps: tuple[SentFile | None, ...]
    palette_csv: SentFile | None
    prefix: str | None = None


class EncodedFile(BaseModel):
    """A file within JSON."""

    model_config = ConfigDict(extra="forbid", strict=True)

    file: str = Field(min_length=1, max_length=MAX_NAME_LENGTH, description="Its name, for messages and downloads")
    content: str = Field(description="The bytes in base64", json_schema_extra={"contentEncoding": "base64"})


def _plain_path(key: str) -> str:
    """Path segments that mean another folder, or none, are no names of objects; clients and stores fold them."""
    if not {"", ".", ".."}.isdisjoint(key.split("/")):
        raise ValueError("no part of it between slashes may be empty, '.' or '..'")
    return key


def _plain_prefix(prefix: str) -> str:
    _plain_path(prefix.rpartition("/")[0])  # what follows is the beginning of a name
    return prefix


ObjectKey = Annotated[
    str, StringConstraints(pattern=r"^inputs/[^\x00-\x1f]+$", max_length=1000), AfterValidator(_plain_path)
]
ObjectPrefix = Annotated[
    str, StringConstraints(pattern=r"^inputs/[^\x00-\x1f]*$", max_length=1000), AfterValidator(_plain_prefix)
]


class JsonBody(BaseModel, Generic[Parameters]):
    """A job as JSON: label maps in one of three ways, as base64, as object keys, or as a prefix of object keys."""

    model_config = ConfigDict(extra="forbid", strict=True)

    params: Parameters
    label_maps: list[EncodedFile] | None = None
    instance_maps: list[EncodedFile] | None = Field(default=None, description="One for each label map, in order")
    label_map_keys: list[ObjectKey] | None = Field(default=None, description="Objects under `inputs/` in the bucket")
    instance_map_keys: list[ObjectKey] | None = Field(default=None, description="One for each label map, in order")
    prefix: ObjectPrefix | None = Field(
        default=None,
        description="All objects whose keys begin so, in order; `NAME.instance.png` is the instance map of `NAME.png`. "
        "As a job they are a bulk job, whose maps are checked one by one when their turn comes.",
    )
    palette_csv: str | None = Field(default=None, max_length=2**18, description="A palette as CSV text")


class JobBody(JsonBody[JobParameters]):
    """A job as JSON: label maps in one of three ways, as base64, as object keys, or as a prefix of object keys."""


class MapsBody(JsonBody[MapParameters]):
    """Label maps to be checked, as JSON: as base64, as object keys, or as a prefix of object keys."""


def read_job_body(request: Request, *, objects: ObjectStore, max_files: int) -> Body[JobParameters]:
    """The body of a job. Raises MalformedBodyError, UnsupportedContentError or a RefusedError."""
    return _read_body(request, JobBody, JobParameters, objects=objects, max_files=max_files, in_bulk=True)


def read_maps_body(request: Request, *, objects: ObjectStore, max_files: int) -> Body[MapParameters]:
    """The body of a check of label maps. Raises as `read_job_body`."""
    return _read_body(request, MapsBody, MapParameters, objects=objects, max_files=max_files, in_bulk=False)


def _read_body(
    request: Request,
    body_type: type[JsonBody[Parameters]],
    parameters_type: type[Parameters],
    *,
    objects: ObjectStore,
    max_files: int,
    in_bulk: bool,
) -> Body[Parameters]:
    if request.mimetype == "multipart/form-data":
        body = _read_multipart(request, parameters_type, max_files=max_files)
    elif request.mimetype == "application/json":
        body = _read_json(request, body_type, objects=objects, max_files=max_files, in_bulk=in_bulk)
    else:
        sent = f"{request.mimetype!r}" if request.mimetype else "no content type"
        raise UnsupportedContentError(f"the request has {sent}; send multipart/form-data or application/json")
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
    if "style_image" in request.files:
        detail = "no model here has an encoder for style images; leave it out"
        raise refuse_parameter("style_image", "no-encoder", detail)
    palettes = _sent_files(request.files.getlist("palette"), "palette")
    if len(palettes) > 1:
        raise refuse_parameter("palette", "too-many", "there are several palettes; send one")
    parameters = _parse_parameters(_params_text(request), parameters_type)
    label_maps, instance_maps = _sent_maps(request, max_files=max_files)
    return Body(
        parameters=parameters,
        label_maps=label_maps,
        instance_maps=instance_maps,
        palette_csv=palettes[0] if palettes else None,
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
    texts = [text.encode() for text in request.form.getlist("params")]
    texts += [file.read() for file in request.files.getlist("params")]
    if len(texts) != 1:
        detail = f"there are {len(texts)} parts named params; send one, with the parameters as a JSON object"
        raise refuse_parameter("params", "missing" if not texts else "too-many", detail)
    return texts[0]


def _parse_parameters(text: bytes, parameters_type: type[Parameters]) -> Parameters:
    try:
        return parameters_type.model_validate_json(text)
    except ValidationError as error:
        _raise_malformed(error, "params")
        raise ParametersRefusedError(faults_of(error, known=parameters_type.model_fields)) from error


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
    request: Request, body_type: type[JsonBody[Parameters]], *, objects: ObjectStore, max_files: int, in_bulk: bool
) -> Body[Parameters]:
    text = request.get_data(cache=False)
    request.stream.read(1)  # raises where a body of unannounced length was cut at the limit
    try:
        sent = body_type.model_validate_json(text)
    except ValidationError as error:
        _raise_malformed(error, "the request")
        faults = faults_of(error, known=body_type.model_fields)
        raise ParametersRefusedError(faults) from error
    ways = [way for way in ("label_maps", "label_map_keys", "prefix") if getattr(sent, way) is not None]
    if len(ways) != 1:
        detail = f"send exactly one of label_maps, label_map_keys and prefix, not {' and '.join(ways) or 'none'}"
        raise refuse_parameter(ways[-1] if ways else "label_maps", "one-source", detail)
    label_maps: tuple[SentFile, ...] = ()
    instance_maps: tuple[SentFile | None, ...] = ()
    if sent.prefix is not None and in_bulk:
        pass  # listed later
    elif sent.prefix is not None:
        label_maps, instance_maps = _listed_files(objects, sent.prefix, max_files=max_files)
    elif sent.label_maps is not None:
        label_maps = tuple(_encoded_file(file) for file in sent.label_maps)
        instance_maps = _match(label_maps, [_encoded_file(file) for file in sent.instance_maps or ()])
    else:
        label_maps = tuple(_stored_file(objects, key) for key in sent.label_map_keys or ())
        instance_maps = _match(label_maps, [_stored_file(objects, key) for key in sent.instance_map_keys or ()])
    palette = sent.palette_csv
    return Body(
        parameters=sent.params,
        label_maps=label_maps,
        instance_maps=instance_maps,
        palette_csv=None if palette is None else SentFile(name="palette_csv", read=palette.encode),
        prefix=sent.prefix if in_bulk else None,
    )


def _encoded_file(file: EncodedFile) -> SentFile:
    def read() -> bytes:
        try:
            return base64.b64decode(file.content, validate=True)
        except (binascii.Error, ValueError) as error:
            raise refuse_files("not-base64", f"its content is not base64: {error}", file=file.file) from error

    return SentFile(name=_file_name(file.file), read=read)


def _stored_file(objects: ObjectStore, key: str) -> SentFile:
    name = printable(key.removeprefix(INPUT_PREFIX))

    def read() -> bytes:
        try:
            return objects.get(key)
        except ObjectMissingError as error:
            raise refuse_files("object-missing", f"there is no object {key!r} in the bucket", file=name) from error

    return SentFile(name=name, read=read)


def _listed_files(
    objects: ObjectStore, prefix: str, *, max_files: int
) -> tuple[tuple[SentFile, ...], tuple[SentFile | None, ...]]:
    """Label maps under a prefix, and their instance maps, at most one file more than may be used."""
    found = (key for key in objects.keys(prefix) if not key.endswith("/"))
    keys = list(itertools.islice(found, 2 * max_files + 1))
    return pair_by_name(keys, partial(_stored_file, objects), where=f"under {prefix!r}")


def _match(label_maps: Sequence[SentFile], instance_maps: Sequence[SentFile]) -> tuple[SentFile | None, ...]:
    if instance_maps and len(instance_maps) != len(label_maps):
        counts = f"there are {len(label_maps)} label maps and {len(instance_maps)} instance maps"
        raise refuse_files("instance-map-count", f"{counts}; send one for each label map, in the same order, or none")
    return tuple(instance_maps) if instance_maps else (None,) * len(label_maps)


def _raise_malformed(error: ValidationError, what: str) -> None:
    for detail in error.errors(include_url=False, include_input=False):
        if detail["type"] == "json_invalid":
            raise MalformedBodyError(f"{what} is not JSON: {detail['ctx']['error']}") from error


def _file_name(path: str) -> str:
    """The name of a sent file without its folders, which are the sender's affair."""
    return printable(path.replace("\\", "/").rsplit("/", 1)[-1])
