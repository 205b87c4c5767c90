"""Evaluation mode: preprocessing, and what every network makes of recorded inputs.

B batch, K semantic channels, H W pixels.
"""

import torch
from torch import Tensor

from spade.engine.engine import Engine
from spade.generator import SpadeGenerator
from spade.labels import dense_semantics
from spade.parity.recording import Recording
from spade.parity.report import TensorCheck, compare_values
from spade.pix2pixhd import Pix2PixHDGenerator
from spade.training.networks import Networks

TOLERANCE = 1e-4
"""Largest absolute difference that evaluation outputs may have."""

RECORDED_CHANNELS = 4
"""Of the discriminator's feature maps only so many are recorded."""


def our_semantics(recording: Recording) -> Tensor:
    """(B, K, H, W) from the recorded label and instance maps."""
    labels, instances = recording.inputs()
    return dense_semantics(labels, instances, recording.generator_config())


def our_fake(recording: Recording, networks: Networks) -> Tensor:
    """(B, 3, H, W) from our semantics, so that preprocessing and network are held together."""
    semantics = our_semantics(recording)
    generator = networks.generator.eval()
    if isinstance(generator, Pix2PixHDGenerator) or not recording.uses_encoder:
        fake: Tensor = generator(semantics)
    else:
        fake = generator(semantics, recording.tensors["eval.z"])
    return fake


@torch.inference_mode()
def check_evaluation(recording: Recording, networks: Networks) -> list[TensorCheck]:
    """Every tensor that is recorded of evaluation mode."""
    ours = {"in.semantics": our_semantics(recording), "eval.fake": our_fake(recording, networks)}
    ours |= _our_features(recording, networks)
    if networks.encoder is not None:
        mean, log_variance = networks.encoder.eval()(recording.tensors["in.image"])
        ours |= {"eval.E.mu": mean, "eval.E.logvar": log_variance}
    checks = [
        compare_values(name, recording.tensors[name], tensor, tolerance=TOLERANCE) for name, tensor in ours.items()
    ]
    if isinstance(networks.generator, SpadeGenerator):
        checks.append(_check_engine(recording, networks.generator))
    return checks


def _check_engine(recording: Recording, generator: SpadeGenerator) -> TensorCheck:
    """The fast engine against what the published network made."""
    labels, instances = recording.inputs()
    z = recording.tensors["eval.z"] if recording.uses_encoder else None
    fake = Engine.from_generator(generator).pictures(labels, instances, z)
    return compare_values("eval.fake (engine)", recording.tensors["eval.fake"], fake, tolerance=TOLERANCE)


def _our_features(recording: Recording, networks: Networks) -> dict[str, Tensor]:
    """The discriminator's features of the recorded generated and real pictures."""
    semantics = recording.tensors["in.semantics"]
    pictures = torch.cat([recording.tensors["eval.fake"], recording.tensors["in.image"]])
    features = networks.discriminator.eval()(semantics, pictures)
    return {
        f"eval.D.{scale}.{layer}": feature[:, :RECORDED_CHANNELS]
        for scale, layers in enumerate(features)
        for layer, feature in enumerate(layers)
    }
