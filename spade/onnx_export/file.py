"""A generator to an ONNX file with its inputs and outputs described and what it is as metadata.

B batch, H W pixels.
"""

import importlib.metadata
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from onnx import ModelProto, TensorProto, ValueInfoProto, helper

from spade.config import GeneratorConfig
from spade.errors import ConfigError
from spade.files import written_whole
from spade.generator import SpadeGenerator
from spade.onnx_export.graph import Graph
from spade.onnx_export.network import INSTANCE_MAP, LABEL_MAP, LATENT, PICTURES, write_network
from spade.semantics_form import require_classes

MOST_BYTES: Final = 2**31
"""Of an ONNX file with its weights inside: what a protobuf message may have."""
_ROOM_FOR_NODES: Final = 2**23

Dimensions = list[str | int]
"""Of a tensor: a name where any number will do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OnnxFile:
    """A file that was written. Inputs and outputs by name, each as `int64 (batch, height, width)`."""

    path: Path
    bytes: int
    opset: int
    inputs: dict[str, str]
    outputs: dict[str, str]
    metadata: dict[str, str]


def export_onnx(
    generator: SpadeGenerator,
    path: Path,
    *,
    opset: int,
    size: tuple[int, int] | None = None,
    about: Mapping[str, str] | None = None,
) -> OnnxFile:
    """Writes `generator`, in evaluation mode and float32, to `path` at one stroke.

    Its inputs are label_map (B, H, W) int64; instance_map (B, H, W) int64, where the model reads borders between
    instances; z (B, latent_dim) float32, where it has a latent. Its output is pictures (B, output_channels, H, W)
    float32 in [-1, 1]. The batch is dynamic. Height and width are the given `size`, or any multiples of the model's
    `size_multiple`, or with a latent the model's own. `about` is added to the metadata.

    Raises ConfigError: where the model reads pictures, or cannot make that size, or its weights are too large.
    """
    config = generator.config
    require_classes(config, "ONNX files")
    if size is not None:
        config.check_size(*size)
    _check_weights_fit(generator)
    inputs, outputs = _described(config, size)
    metadata = _metadata(config) | dict(about or {})
    model = _model_without_nodes(inputs, outputs, opset)
    write_network(generator, Graph(model.graph))  # in its place: a message that is put into another is copied
    helper.set_model_props(model, metadata)
    with written_whole(path) as partial:
        partial.write_bytes(model.SerializeToString())
    return OnnxFile(
        path=path,
        bytes=path.stat().st_size,
        opset=opset,
        inputs={value.name: _spoken(value) for value in inputs},
        outputs={value.name: _spoken(value) for value in outputs},
        metadata=metadata,
    )


def _check_weights_fit(generator: SpadeGenerator) -> None:
    needed = sum(parameter.numel() * parameter.element_size() for parameter in generator.parameters())
    if needed + _ROOM_FOR_NODES > MOST_BYTES:
        raise ConfigError(f"weights of {needed / 2**30:.2f} GiB: an ONNX file holds less than {MOST_BYTES >> 30} GiB")


def _described(
    config: GeneratorConfig, size: tuple[int, int] | None
) -> tuple[list[ValueInfoProto], list[ValueInfoProto]]:
    """Inputs and outputs, for people to read too."""
    if size is None and config.latent_dim is not None:
        size = config.height, config.width
    height, width = size or ("height", "width")
    last_id = config.label_nc - 1 + config.dont_care
    unknown = f", of which {last_id} is unknown" if config.dont_care else ""
    inputs = [_value(LABEL_MAP, TensorProto.INT64, ["batch", height, width], f"class ids 0 to {last_id}{unknown}")]
    if config.instance_edges:
        about = "instance ids, of which only equality counts; without any, give the label map"
        inputs.append(_value(INSTANCE_MAP, TensorProto.INT64, ["batch", height, width], about))
    if config.latent_dim is not None:
        inputs.append(_value(LATENT, TensorProto.FLOAT, ["batch", config.latent_dim], "standard normal"))
    shape: Dimensions = ["batch", config.output_channels, height, width]
    return inputs, [_value(PICTURES, TensorProto.FLOAT, shape, "from -1 to 1")]


def _value(name: str, data_type: int, shape: Dimensions, about: str) -> ValueInfoProto:
    return helper.make_tensor_value_info(name, data_type, shape, doc_string=about)


def _metadata(config: GeneratorConfig) -> dict[str, str]:
    """`width`, `height` are the model's own size; `unknown_id` is absent where every pixel needs a class."""
    metadata = {
        "height": str(config.height),
        "width": str(config.width),
        "size_multiple": str(config.size_multiple),
        "label_nc": str(config.label_nc),
        "generator": json.dumps(config.to_dict(), sort_keys=True),
    }
    return metadata if config.unknown_id is None else metadata | {"unknown_id": str(config.unknown_id)}


def _model_without_nodes(inputs: list[ValueInfoProto], outputs: list[ValueInfoProto], opset: int) -> ModelProto:
    imports = [helper.make_opsetid("", opset)]
    return helper.make_model(
        helper.make_graph([], "spade", inputs, outputs),
        opset_imports=imports,
        ir_version=helper.find_min_ir_version_for(imports),  # so that no runtime is refused that knows the operators
        producer_name="spade-serving",
        producer_version=importlib.metadata.version("spade-serving"),
    )


def _spoken(value: ValueInfoProto) -> str:
    tensor = value.type.tensor_type
    shape = ", ".join(dimension.dim_param or str(dimension.dim_value) for dimension in tensor.shape.dim)
    return f"{'int64' if tensor.elem_type == TensorProto.INT64 else 'float32'} ({shape})"
