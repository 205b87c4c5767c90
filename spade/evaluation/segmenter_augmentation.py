"""Changes to training batches of a segmenter that leave the truth as it is: mirrored, zoomed, moved, relit.

B batch, H W pixels.
"""

import torch
from torch import Tensor
from torch.nn import functional

NOT_SCORED = -1
"""In label maps for the loss: pixels that are unknown, or lie outside of the picture."""

ZOOM = (0.75, 1.75)
"""From smaller, with a border that does not count, to a part of the picture that is enlarged."""
ASPECT = 0.1
BRIGHTNESS, CONTRAST, SATURATION = 0.2, 0.3, 0.3


def augmented(pictures: Tensor, labels: Tensor, random: torch.Generator) -> tuple[Tensor, Tensor]:
    """Pictures (B, 3, H, W) in [-1, 1] and labels (B, H, W), int64, each sample changed in its own way.

    `random` belongs to the CPU; it alone decides, so that the same state gives the same batch on every device.
    """
    grid = _grid(pictures.shape, random).to(pictures.device)
    moved = functional.grid_sample(pictures, grid, mode="bilinear", padding_mode="zeros", align_corners=False)
    # Zero is what lies outside.
    shifted = (labels - NOT_SCORED).unsqueeze(1).float()
    moved_labels = functional.grid_sample(shifted, grid, mode="nearest", padding_mode="zeros", align_corners=False)
    return _relit(moved, random), moved_labels.squeeze(1).long() + NOT_SCORED


def _grid(shape: torch.Size, random: torch.Generator) -> Tensor:
    """Where each pixel is taken from: mirrored by a chance of one half, zoomed, and moved within the picture."""
    batch = shape[0]
    low, high = ZOOM
    zoom = low * (high / low) ** torch.rand(batch, generator=random)
    stretch = (1 + ASPECT) ** _symmetric(batch, random)
    seen_x, seen_y = 1 / (zoom * stretch), stretch / zoom
    matrix = torch.zeros(batch, 2, 3)
    mirror = torch.randint(2, (batch,), generator=random) * 2 - 1
    matrix[:, 0, 0], matrix[:, 1, 1] = seen_x * mirror, seen_y
    matrix[:, 0, 2] = (1 - seen_x).abs() * _symmetric(batch, random)
    matrix[:, 1, 2] = (1 - seen_y).abs() * _symmetric(batch, random)
    return functional.affine_grid(matrix, list(shape), align_corners=False)


def _relit(pictures: Tensor, random: torch.Generator) -> Tensor:
    batch = len(pictures)

    def drawn(spread: float) -> Tensor:
        return (spread * _symmetric(batch, random)).to(pictures.device).view(-1, 1, 1, 1)

    grey = pictures.mean(dim=1, keepdim=True)
    coloured = grey + (pictures - grey) * (1 + drawn(SATURATION))
    middle = grey.mean(dim=(2, 3), keepdim=True)
    return (middle + (coloured - middle) * (1 + drawn(CONTRAST)) + drawn(BRIGHTNESS)).clamp(-1, 1)


def _symmetric(count: int, random: torch.Generator) -> Tensor:
    """Uniform in [-1, 1)."""
    return torch.rand(count, generator=random) * 2 - 1
