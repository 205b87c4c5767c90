"""The generator's network in ONNX operators: the same layers, under the same names, as `spade.generator` computes.

B batch, K classes, unknown included, C channels, H W pixels. A value's factor says how many times smaller than the
picture it is.
"""

import torch
from onnx import TensorProto
from torch import nn

from spade.activations import LEAKY_SLOPE
from spade.blocks import SpadeBlock
from spade.config import Upsampling
from spade.generator import SpadeGenerator
from spade.normalization import SpadeNorm
from spade.onnx_export.graph import INT64_MAX, Graph

LABEL_MAP = "label_map"
INSTANCE_MAP = "instance_map"
LATENT = "z"
PICTURES = "pictures"


def write_network(generator: SpadeGenerator, graph: Graph) -> None:
    """Writes nodes that compute PICTURES (B, output_channels, H, W) from LABEL_MAP and what other inputs the model has.

    Height and width may be any multiples of the model's `size_multiple`, except that a latent fixes both. An id that
    the model does not have belongs to no class.
    """
    _Network(generator, graph).write()


class _Network:
    def __init__(self, generator: SpadeGenerator, graph: Graph) -> None:
        self._generator = generator
        self._config = generator.config
        self._graph = graph
        self._semantics: dict[int, str] = {}

    def write(self) -> None:
        graph = self._graph
        self._write_maps()
        x = self._first_features()
        factor = self._config.size_multiple
        for name, block in self._generator.named_children():
            if isinstance(block, SpadeBlock):
                if self._is_doubled_before(name):
                    x = self._doubled(f"{name}.doubled", x)
                    factor //= 2
                x = self._block(name, block, x, factor)
        assert factor == 1
        colors = graph.convolution("to_image", self._generator.to_image, self._leaky_relu("to_image.activated", x))
        if self._config.output_multiplier != 1:
            multiplier = graph.constant("output_multiplier", [self._config.output_multiplier])
            colors = graph.node("Mul", colors, multiplier, name="to_image.multiplied")
        graph.node("Tanh", colors, name=PICTURES)

    def _is_doubled_before(self, name: str) -> bool:
        if name == "middle_1":
            return self._config.upsampling is not Upsampling.NORMAL
        return name != "head"

    # Maps, with an axis for channels: (B, 1, H, W)

    def _write_maps(self) -> None:
        graph, config = self._graph, self._config
        channel_axis = graph.constant("int64.1", [1])
        self._labels = graph.node("Unsqueeze", LABEL_MAP, channel_axis, name="labels")
        class_ids = torch.arange(config.label_nc + config.dont_care).view(1, -1, 1, 1)
        self._class_ids = graph.constant("class_ids", class_ids)
        if config.instance_edges:
            self._edges = self._edges_of(graph.node("Unsqueeze", INSTANCE_MAP, channel_axis, name="instances"))

    def _edges_of(self, instances: str) -> str:
        """float32 zeros and ones: where a pixel differs from one beside it; at the rim it is beside itself."""
        graph = self._graph
        rim = graph.constant("edges.rim", [0, 0, 1, 1, 0, 0, 1, 1])
        padded = graph.node("Pad", instances, rim, name="edges.padded", mode="edge")
        edges = ""
        for side, top, left in (("above", 0, 1), ("below", 2, 1), ("left", 1, 0), ("right", 1, 2)):
            name = f"edges.{side}"
            rows = graph.sliced(f"{name}.rows", padded, axis=2, start=top, end=top - 2 or INT64_MAX)
            beside = graph.sliced(f"{name}.pixels", rows, axis=3, start=left, end=left - 2 or INT64_MAX)
            same = graph.node("Equal", instances, beside, name=f"{name}.same")
            differs = graph.node("Not", same, name=f"{name}.differs")
            edges = graph.node("Or", edges, differs, name=name) if edges else differs
        return graph.node("Cast", edges, name="edges", to=TensorProto.FLOAT)

    def _semantics_at(self, factor: int) -> str:
        """(B, K, H / factor, W / factor) float32, and edges behind; every factor-th pixel is its nearest neighbour."""
        if factor not in self._semantics:
            graph, name = self._graph, f"semantics_{factor}"
            ids = self._resized(f"{name}.labels", self._labels, factor)
            is_class = graph.node("Equal", ids, self._class_ids, name=f"{name}.is_class")
            semantics = graph.node("Cast", is_class, name=f"{name}.one_hot", to=TensorProto.FLOAT)
            if self._config.instance_edges:
                edges = self._resized(f"{name}.edges", self._edges, factor)
                semantics = graph.node("Concat", semantics, edges, name=name, axis=1)
            self._semantics[factor] = semantics
        return self._semantics[factor]

    def _resized(self, name: str, x: str, factor: int) -> str:
        if factor == 1:
            return x
        rows = self._graph.sliced(f"{name}.rows", x, axis=2, step=factor)
        return self._graph.sliced(name, rows, axis=3, step=factor)

    # Layers

    def _first_features(self) -> str:
        graph, config, start = self._graph, self._config, self._generator.start
        if not isinstance(start, nn.Linear):
            return graph.convolution("start", start, self._semantics_at(config.size_multiple))
        weight, bias = (graph.constant(f"start.{name}", getattr(start, name)) for name in ("weight", "bias"))
        flat = graph.node("Gemm", LATENT, weight, bias, name="start.flat", transB=1)
        height, width = config.height // config.size_multiple, config.width // config.size_multiple
        shape = graph.constant("start.shape", [-1, 16 * config.base_channels, height, width])
        return graph.node("Reshape", flat, shape, name="start")

    def _block(self, name: str, block: SpadeBlock, x: str, factor: int) -> str:
        graph = self._graph
        skip = x
        if block.learns_skip:
            skip = graph.convolution(
                f"{name}.conv_skip", block.conv_skip, self._norm(f"{name}.norm_skip", block.norm_skip, x, factor)
            )
        change = x
        for norm, convolution in (("norm_0", "conv_0"), ("norm_1", "conv_1")):
            modulated = self._norm(f"{name}.{norm}", getattr(block, norm), change, factor)
            activated = self._leaky_relu(f"{name}.{norm}.activated", modulated)
            change = graph.convolution(f"{name}.{convolution}", getattr(block, convolution), activated)
        return graph.node("Add", skip, change, name=name)

    def _norm(self, name: str, norm: SpadeNorm, x: str, factor: int) -> str:
        graph = self._graph
        shared = graph.convolution(f"{name}.shared", norm.shared, self._semantics_at(factor))
        hidden = graph.node("Relu", shared, name=f"{name}.hidden")
        scale = graph.convolution(f"{name}.gamma", norm.gamma, hidden, plus=1.0)
        shift = graph.convolution(f"{name}.beta", norm.beta, hidden)
        normalized = self._normalized(f"{name}.normalized", norm.statistics, x)
        return graph.node("Add", graph.node("Mul", normalized, scale, name=f"{name}.scaled"), shift, name=name)

    def _normalized(self, name: str, statistics: nn.Module, x: str) -> str:
        graph = self._graph
        assert isinstance(statistics, nn.BatchNorm2d | nn.InstanceNorm2d)
        channels = statistics.num_features
        neutral = (
            graph.constant(f"ones_{channels}", torch.ones(channels)),
            graph.constant(f"zeros_{channels}", torch.zeros(channels)),
        )
        if isinstance(statistics, nn.InstanceNorm2d):
            return graph.node("InstanceNormalization", x, *neutral, name=name, epsilon=statistics.eps)
        assert statistics.running_mean is not None
        assert statistics.running_var is not None
        mean = graph.constant(f"{name}.mean", statistics.running_mean)
        variance = graph.constant(f"{name}.variance", statistics.running_var)
        return graph.node("BatchNormalization", x, *neutral, mean, variance, name=name, epsilon=statistics.eps)

    def _leaky_relu(self, name: str, x: str) -> str:
        return self._graph.node("LeakyRelu", x, name=name, alpha=LEAKY_SLOPE)

    def _doubled(self, name: str, x: str) -> str:
        scales = self._graph.constant("doubling", [1.0, 1.0, 2.0, 2.0])
        return self._graph.node(
            "Resize",
            *(x, "", scales),
            name=name,
            mode="nearest",
            coordinate_transformation_mode="asymmetric",
            nearest_mode="floor",
        )
