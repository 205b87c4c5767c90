"""A run's networks as files that the published code reads."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from spade.files import clear_partials, written_whole
from spade.published import (
    published_discriminator_name,
    published_encoder_name,
    published_name,
    published_pix2pixhd_name,
)
from spade.training.checkpoints import write_torch_file
from spade.training.finished import TrainedRun
from spade.training.networks import Generator

_LABEL = "latest"


def export_published(run: TrainedRun, generator: Generator, folder: Path) -> list[Path]:
    """Writes `latest_net_G.pth`, `_D`, where there is one `_E`, and `iter.txt`; returns their paths.

    The first three are bare state dicts under the published names. An output multiplier, which the published code does
    not have, goes into the last layer's weights. `iter.txt` holds two lines, the epoch and how many
    of its samples were learned from.
    """
    discriminator, encoder = run.networks.discriminator, run.networks.encoder
    layers = discriminator.config.layers
    files: dict[str, dict[str, Tensor]] = {
        "G": _renamed(generator, _generator_name(run)),
        "D": _renamed(discriminator, lambda own: published_discriminator_name(own, layers=layers)),
    }
    for name in ("conv_img.weight", "conv_img.bias"):
        if name in files["G"]:
            files["G"][name] *= run.config.generator.output_multiplier
    if encoder is not None:
        files["E"] = _renamed(encoder, published_encoder_name)
    written = []
    for network, state in files.items():
        path = folder / f"{_LABEL}_net_{network}.pth"
        clear_partials(folder, path.name)
        with written_whole(path) as partial:
            write_torch_file(state, partial)
        written.append(path)
    position = folder / "iter.txt"
    with written_whole(position) as partial:
        partial.write_text(f"{run.position.epoch}\n{run.position.taken}\n", encoding="ascii")
    return [*written, position]


def _generator_name(run: TrainedRun) -> Callable[[str], str]:
    pix2pixhd = run.config.pix2pixhd
    return published_name if pix2pixhd is None else lambda own: published_pix2pixhd_name(own, pix2pixhd)


def _renamed(network: nn.Module, name: Callable[[str], str]) -> dict[str, Any]:
    return {name(own): tensor.detach().clone() for own, tensor in network.state_dict().items()}
