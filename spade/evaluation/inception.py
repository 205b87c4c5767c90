"""Inception v3 as the Frechet Inception Distance uses it (Szegedy et al. 2015, arXiv 1512.00567; Heusel et al. 2017).

The network of the 2015-12-05 TensorFlow release, whose averages leave padding out and whose last block takes a
maximum, under the tensor names of the file `pt_inception-2015-12-05-6726825d.pth`. Only what leads to the 2048 pooled
features is here; the file's classifier is passed over.

B batch, C channels, H W pixels.
"""

import os
from enum import StrEnum

import torch
from torch import Tensor, nn
from torch.nn import functional

from spade.weights import fit, read_tensors

SIDE_PIXELS = 299
FEATURES = 2048


class Resize(StrEnum):
    """The filter that brings pictures to 299x299, which moves the distance by more than many a model does."""

    BILINEAR = "bilinear"  # four neighbours whatever the scale, as pytorch-fid; the SPADE paper's
    BICUBIC_ANTIALIAS = "bicubic-antialias"  # weighs all pixels that a new one covers, as clean-fid


class Convolution(nn.Module):
    """Convolution without bias, batch normalization, ReLU."""

    def __init__(
        self,
        channels_in: int,
        channels_out: int,
        kernel: int | tuple[int, int],
        *,
        stride: int = 1,
        padding: int | tuple[int, int] = 0,
    ) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels_in, channels_out, kernel, stride=stride, padding=padding, bias=False)
        self.bn = nn.BatchNorm2d(channels_out, eps=0.001)

    def forward(self, x: Tensor) -> Tensor:
        return functional.relu(self.bn(self.conv(x)))


def _row(channels_in: int, channels_out: int) -> Convolution:
    return Convolution(channels_in, channels_out, (1, 7), padding=(0, 3))


def _column(channels_in: int, channels_out: int) -> Convolution:
    return Convolution(channels_in, channels_out, (7, 1), padding=(3, 0))


class Grid35(nn.Module):
    """Mixed 5b to 5d: 1x1, 5x5, double 3x3 and pooling beside one another."""

    def __init__(self, channels: int, pooled: int) -> None:
        super().__init__()
        self.branch1x1 = Convolution(channels, 64, 1)
        self.branch5x5_1 = Convolution(channels, 48, 1)
        self.branch5x5_2 = Convolution(48, 64, 5, padding=2)
        self.branch3x3dbl_1 = Convolution(channels, 64, 1)
        self.branch3x3dbl_2 = Convolution(64, 96, 3, padding=1)
        self.branch3x3dbl_3 = Convolution(96, 96, 3, padding=1)
        self.branch_pool = Convolution(channels, pooled, 1)

    def forward(self, x: Tensor) -> Tensor:
        five = self.branch5x5_2(self.branch5x5_1(x))
        double = self.branch3x3dbl_3(self.branch3x3dbl_2(self.branch3x3dbl_1(x)))
        return torch.cat([self.branch1x1(x), five, double, self.branch_pool(_average(x))], dim=1)


class Reduction35(nn.Module):
    """Mixed 6a: from 35x35 to 17x17."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.branch3x3 = Convolution(channels, 384, 3, stride=2)
        self.branch3x3dbl_1 = Convolution(channels, 64, 1)
        self.branch3x3dbl_2 = Convolution(64, 96, 3, padding=1)
        self.branch3x3dbl_3 = Convolution(96, 96, 3, stride=2)

    def forward(self, x: Tensor) -> Tensor:
        double = self.branch3x3dbl_3(self.branch3x3dbl_2(self.branch3x3dbl_1(x)))
        return torch.cat([self.branch3x3(x), double, functional.max_pool2d(x, 3, stride=2)], dim=1)


class Grid17(nn.Module):
    """Mixed 6b to 6e: 7x7 convolutions taken apart into rows and columns."""

    def __init__(self, middle: int) -> None:
        super().__init__()
        self.branch1x1 = Convolution(768, 192, 1)
        self.branch7x7_1 = Convolution(768, middle, 1)
        self.branch7x7_2 = _row(middle, middle)
        self.branch7x7_3 = _column(middle, 192)
        self.branch7x7dbl_1 = Convolution(768, middle, 1)
        self.branch7x7dbl_2 = _column(middle, middle)
        self.branch7x7dbl_3 = _row(middle, middle)
        self.branch7x7dbl_4 = _column(middle, middle)
        self.branch7x7dbl_5 = _row(middle, 192)
        self.branch_pool = Convolution(768, 192, 1)

    def forward(self, x: Tensor) -> Tensor:
        seven = self.branch7x7_3(self.branch7x7_2(self.branch7x7_1(x)))
        double = self.branch7x7dbl_3(self.branch7x7dbl_2(self.branch7x7dbl_1(x)))
        double = self.branch7x7dbl_5(self.branch7x7dbl_4(double))
        return torch.cat([self.branch1x1(x), seven, double, self.branch_pool(_average(x))], dim=1)


class Reduction17(nn.Module):
    """Mixed 7a: from 17x17 to 8x8."""

    def __init__(self) -> None:
        super().__init__()
        self.branch3x3_1 = Convolution(768, 192, 1)
        self.branch3x3_2 = Convolution(192, 320, 3, stride=2)
        self.branch7x7x3_1 = Convolution(768, 192, 1)
        self.branch7x7x3_2 = _row(192, 192)
        self.branch7x7x3_3 = _column(192, 192)
        self.branch7x7x3_4 = Convolution(192, 192, 3, stride=2)

    def forward(self, x: Tensor) -> Tensor:
        three = self.branch3x3_2(self.branch3x3_1(x))
        seven = self.branch7x7x3_4(self.branch7x7x3_3(self.branch7x7x3_2(self.branch7x7x3_1(x))))
        return torch.cat([three, seven, functional.max_pool2d(x, 3, stride=2)], dim=1)


class Grid8(nn.Module):
    """Mixed 7b and 7c: 3x3 convolutions as a row beside a column; 7c pools by maximum."""

    def __init__(self, channels: int, *, pool_by_maximum: bool) -> None:
        super().__init__()
        self.pool_by_maximum = pool_by_maximum
        self.branch1x1 = Convolution(channels, 320, 1)
        self.branch3x3_1 = Convolution(channels, 384, 1)
        self.branch3x3_2a = Convolution(384, 384, (1, 3), padding=(0, 1))
        self.branch3x3_2b = Convolution(384, 384, (3, 1), padding=(1, 0))
        self.branch3x3dbl_1 = Convolution(channels, 448, 1)
        self.branch3x3dbl_2 = Convolution(448, 384, 3, padding=1)
        self.branch3x3dbl_3a = Convolution(384, 384, (1, 3), padding=(0, 1))
        self.branch3x3dbl_3b = Convolution(384, 384, (3, 1), padding=(1, 0))
        self.branch_pool = Convolution(channels, 192, 1)

    def forward(self, x: Tensor) -> Tensor:
        three = self.branch3x3_1(x)
        double = self.branch3x3dbl_2(self.branch3x3dbl_1(x))
        pooled = functional.max_pool2d(x, 3, stride=1, padding=1) if self.pool_by_maximum else _average(x)
        branches = [
            self.branch1x1(x),
            self.branch3x3_2a(three),
            self.branch3x3_2b(three),
            self.branch3x3dbl_3a(double),
            self.branch3x3dbl_3b(double),
            self.branch_pool(pooled),
        ]
        return torch.cat(branches, dim=1)


class InceptionFeatures(nn.Module):
    """The 2048 features after the last pooling."""

    def __init__(self) -> None:
        super().__init__()
        self.Conv2d_1a_3x3 = Convolution(3, 32, 3, stride=2)
        self.Conv2d_2a_3x3 = Convolution(32, 32, 3)
        self.Conv2d_2b_3x3 = Convolution(32, 64, 3, padding=1)
        self.Conv2d_3b_1x1 = Convolution(64, 80, 1)
        self.Conv2d_4a_3x3 = Convolution(80, 192, 3)
        self.Mixed_5b = Grid35(192, 32)
        self.Mixed_5c = Grid35(256, 64)
        self.Mixed_5d = Grid35(288, 64)
        self.Mixed_6a = Reduction35(288)
        self.Mixed_6b = Grid17(128)
        self.Mixed_6c = Grid17(160)
        self.Mixed_6d = Grid17(160)
        self.Mixed_6e = Grid17(192)
        self.Mixed_7a = Reduction17()
        self.Mixed_7b = Grid8(1280, pool_by_maximum=False)
        self.Mixed_7c = Grid8(2048, pool_by_maximum=True)

    def forward(self, pictures: Tensor) -> Tensor:
        """Features (B, 2048) of pictures (B, 3, 299, 299) in [-1, 1]."""
        x = self.Conv2d_2b_3x3(self.Conv2d_2a_3x3(self.Conv2d_1a_3x3(pictures)))
        x = functional.max_pool2d(x, 3, stride=2)
        x = self.Conv2d_4a_3x3(self.Conv2d_3b_1x1(x))
        x = functional.max_pool2d(x, 3, stride=2)
        x = self.Mixed_5d(self.Mixed_5c(self.Mixed_5b(x)))
        x = self.Mixed_6e(self.Mixed_6d(self.Mixed_6c(self.Mixed_6b(self.Mixed_6a(x)))))
        x = self.Mixed_7c(self.Mixed_7b(self.Mixed_7a(x)))
        pooled: Tensor = x.mean(dim=(2, 3))
        return pooled


def to_inception_size(pictures: Tensor, resize: Resize) -> Tensor:
    """Pictures (B, 3, H, W) in [-1, 1] at 299x299."""
    size = (SIDE_PIXELS, SIDE_PIXELS)
    if resize is Resize.BILINEAR:
        return functional.interpolate(pictures, size=size, mode="bilinear", align_corners=False)
    resized = functional.interpolate(pictures, size=size, mode="bicubic", align_corners=False, antialias=True)
    return resized.clamp(-1, 1)


def load_inception(path: str | os.PathLike[str]) -> InceptionFeatures:
    """Reads a local file of the layout above. Raises CheckpointError: where it is missing, damaged or another."""
    with torch.device("meta"):
        network = InceptionFeatures()
    fit(network, read_tensors(path), where=os.fspath(path), what="Inception v3 as pt_inception-2015-12-05 lays it out")
    return network


def _average(x: Tensor) -> Tensor:
    """Over 3x3 pixels, those of the padding not counted."""
    return functional.avg_pool2d(x, 3, stride=1, padding=1, count_include_pad=False)
