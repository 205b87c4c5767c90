import pytest
import torch
from torch.nn import functional

from spade.engine.winograd import WinogradConvolution


@pytest.mark.parametrize(("height", "width"), [(4, 4), (8, 20), (64, 48), (4, 1024)])
@pytest.mark.parametrize("with_bias", [True, False])
def test_tiles_give_the_convolution_to_rounding(height: int, width: int, with_bias: bool) -> None:
    torch.manual_seed(height + width)
    x = torch.randn(2, 24, height, width)
    weight, bias = torch.randn(40, 24, 3, 3), torch.randn(40) if with_bias else None
    exact = functional.conv2d(x.double(), weight.double(), None if bias is None else bias.double(), padding=1)
    convolution = WinogradConvolution(weight, bias)
    padded = functional.pad(x, (1, 1, 1, 1)).permute(0, 2, 3, 1).contiguous()
    found = convolution(padded).permute(0, 3, 1, 2)
    assert (found - exact).abs().max() < 5e-6 * exact.abs().max()
