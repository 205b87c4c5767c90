"""The nodes and constants of an ONNX graph while it is being written."""

from typing import Any, Final

import numpy as np
from onnx import GraphProto, helper, numpy_helper
from torch import Tensor, nn

INT64_MAX: Final = int(np.iinfo(np.int64).max)
"""As the end of a slice: the end of the axis."""


class Graph:
    """Writes to `proto`, nodes in the order in which they are computed.

    Values go by name; every method returns its result's.
    """

    def __init__(self, proto: GraphProto) -> None:
        self._proto = proto
        self._constants: set[str] = set()

    def node(self, operator: str, *inputs: str, name: str, **attributes: Any) -> str:  # noqa: ANN401 - as onnx has it
        """A node of one output, which is called as the node is."""
        self._proto.node.append(helper.make_node(operator, list(inputs), [name], name=name, **attributes))
        return name

    def constant(self, name: str, values: Tensor | list[int] | list[float]) -> str:
        """A tensor, or a list of int64 or of float32; one that is there already under this name stays."""
        if name not in self._constants:
            self._constants.add(name)
            if isinstance(values, Tensor):
                array = values.detach().cpu().numpy()
            else:
                array = np.array(values, dtype=np.int64 if isinstance(values[0], int) else np.float32)
            self._proto.initializer.append(numpy_helper.from_array(array, name))
        return name

    def convolution(self, name: str, layer: nn.Module, x: str, *, plus: float = 0.0) -> str:
        """What the layer, in evaluation mode, makes of x (B, C, H, W), and `plus` added to it.

        A weight under spectral norm is written as it is after division.
        """
        assert isinstance(layer, nn.Conv2d)
        assert isinstance(layer.padding, tuple)
        inputs = [x, self.constant(f"{name}.weight", layer.weight)]
        if layer.bias is not None:
            inputs.append(self.constant(f"{name}.bias", layer.bias + plus))
        return self.node("Conv", *inputs, name=name, kernel_shape=layer.kernel_size, pads=layer.padding * 2)

    def sliced(self, name: str, x: str, *, axis: int, start: int = 0, end: int = INT64_MAX, step: int = 1) -> str:
        """x[start:end:step] along an axis."""
        bounds = [self.constant(f"int64.{number}", [number]) for number in (start, end, axis, step)]
        return self.node("Slice", x, *bounds, name=name)
