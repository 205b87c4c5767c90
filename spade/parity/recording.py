"""A parity file: published options, inputs, weights and what the published code made of them.

A safetensors file with the options as JSON under the metadata key `options`. The first part of a tensor's name says
what it is: `in` inputs, `state` weights, `eval` outputs in evaluation mode, `train` and `after` one training iteration.
"""

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from spade.checkpoint import describe
from spade.config import EncoderConfig, GeneratorConfig
from spade.discriminator import DiscriminatorConfig, MultiscaleDiscriminator
from spade.encoder import ImageEncoder
from spade.errors import ParityError
from spade.generator import SpadeGenerator
from spade.pix2pixhd import Pix2PixHDConfig, Pix2PixHDGenerator
from spade.published import (
    config_from_options,
    pix2pixhd_from_options,
    published_discriminator_name,
    published_encoder_name,
    published_name,
    published_pix2pixhd_name,
)
from spade.training.networks import Networks

Names = Callable[[str], str]


@dataclass(frozen=True, slots=True)
class Recording:
    """One file. A missing option or tensor is a KeyError, which `spade.parity.verify` reports."""

    options: Mapping[str, Any]
    tensors: Mapping[str, Tensor]

    @property
    def uses_encoder(self) -> bool:
        return bool(self.options["use_vae"])

    def inputs(self) -> tuple[Tensor, Tensor]:
        """Label maps and instance maps, (B, H, W) each."""
        maps = []
        for name in ("in.label", "in.instance"):
            recorded = self.tensors[name]
            if recorded.ndim != 4 or recorded.shape[1] != 1:
                raise ParityError(f"tensor {name} is {describe(recorded)}, expected (B, 1, H, W)")
            maps.append(recorded[:, 0].long())
        return maps[0], maps[1]

    def generator_config(self) -> GeneratorConfig | Pix2PixHDConfig:
        """Raises ConfigError: where the options describe no generator that we have."""
        if self.options["netG"] == "pix2pixhd":
            return pix2pixhd_from_options(self.options)
        return config_from_options(self.options)

    def networks(self) -> Networks:
        """All networks of the file with its weights, which are copied: training changes them."""
        config = self.generator_config()
        generator = SpadeGenerator(config) if isinstance(config, GeneratorConfig) else Pix2PixHDGenerator(config)
        discriminator = MultiscaleDiscriminator(
            DiscriminatorConfig(
                in_channels=self.tensors["in.semantics"].shape[1] + self.options["output_nc"],
                base_channels=self.options["ndf"],
                layers=self.options["n_layers_D"],
                scales=self.options["num_D"],
            )
        )
        encoder = None
        if self.uses_encoder:
            encoder = ImageEncoder(EncoderConfig(latent_dim=self.options["z_dim"], base_channels=self.options["ngf"]))
        networks = Networks(generator, discriminator, encoder)
        for letter, network, names in self.named(networks):
            self._load(letter, network, names)
        return networks

    def named(self, networks: Networks) -> list[tuple[str, nn.Module, Names]]:
        """The networks with their published letters and what the published code calls their tensors."""
        config = self.generator_config()
        layers = networks.discriminator.config.layers
        named: list[tuple[str, nn.Module, Names]] = [
            ("G", networks.generator, _generator_names(config)),
            ("D", networks.discriminator, lambda own: published_discriminator_name(own, layers=layers)),
        ]
        if networks.encoder is not None:
            named.append(("E", networks.encoder, published_encoder_name))
        return named

    def _load(self, letter: str, network: nn.Module, names: Names) -> None:
        state = network.state_dict()
        for own, blank in state.items():
            name = f"state.{letter}.{names(own)}"
            recorded = self.tensors[name]
            if recorded.shape != blank.shape:
                raise ParityError(f"tensor {name} is {describe(recorded)}, expected {describe(blank)}")
            blank.copy_(recorded)


def _generator_names(config: GeneratorConfig | Pix2PixHDConfig) -> Names:
    if isinstance(config, GeneratorConfig):
        return published_name
    return lambda own: published_pix2pixhd_name(own, config)


def read_recording(path: str | os.PathLike[str]) -> Recording:
    """Raises ParityError: where the file is missing or is not a parity file."""
    file = os.fspath(path)
    try:
        with safe_open(file, framework="pt") as opened:
            options = json.loads((opened.metadata() or {}).get("options", "null"))
            tensors = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118 - not a dict
    except FileNotFoundError as error:
        raise ParityError(f"{file}: there is no such file") from error
    except (OSError, SafetensorError, json.JSONDecodeError) as error:
        raise ParityError(f"{file}: not a readable parity file: {error}") from error
    if not isinstance(options, dict):
        raise ParityError(f"{file}: not a parity file: its metadata has no options")
    return Recording(options, tensors)
