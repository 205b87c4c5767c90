"""Whole parity files for tests: recorded published cases, completed by what our own networks make of them.

The published recordings are too large to ship. What is added here is our own, so it tests the checks, not the networks;
those are held against the published recordings where they are present.
"""

import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor

from spade.config import EncoderConfig
from spade.data.samples import TrainingBatch
from spade.discriminator import DiscriminatorConfig, MultiscaleDiscriminator
from spade.encoder import ImageEncoder
from spade.losses import Objective
from spade.parity.evaluation import RECORDED_CHANNELS, our_fake, our_semantics
from spade.parity.recording import Recording
from spade.published import published_discriminator_name, published_encoder_name
from spade.training.networks import Networks
from spade.training.objective import LossConfig
from spade.training.optimizers import OptimizerConfig, build_optimizers
from spade.training.step import StepConfig, TrainingStep

Recorded = tuple[dict[str, Any], dict[str, Tensor], str]

OPTIONS = {
    "ndf": 2,
    "n_layers_D": 4,
    "num_D": 2,
    "gan_mode": "hinge",
    "no_ganFeat_loss": False,
    "lambda_feat": 10.0,
    "lambda_kld": 0.05,
    "no_TTUR": False,
    "lr": 2e-4,
    "beta1": 0.0,
    "beta2": 0.9,
}
_WHOLE = 512


def complete(case: Recorded) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Options and tensors of a parity file that agrees with our networks in everything."""
    torch.manual_seed(0)
    options, tensors = case[0] | OPTIONS, dict(case[1])
    recording = Recording(options, tensors)
    batch = len(tensors["in.label"])
    tensors["in.semantics"] = our_semantics(recording)
    tensors["in.image"] = torch.rand(batch, 3, *tensors["in.label"].shape[2:]) * 2 - 1
    tensors |= _drawn_states(options, tensors["in.semantics"].shape[1])
    if options["use_vae"]:
        tensors |= {f"train.eps.{step}": torch.randn(batch, options["z_dim"]) for step in range(2)}
    tensors |= _evaluated(recording)
    tensors |= _trained(recording)
    return options, {name: tensor.clone().contiguous() for name, tensor in tensors.items()}


def write(path: Path, options: dict[str, Any], tensors: dict[str, Tensor]) -> Path:
    save_file(tensors, path, metadata={"options": json.dumps(options)})
    return path


def _drawn_states(options: dict[str, Any], channels: int) -> dict[str, Tensor]:
    discriminator = MultiscaleDiscriminator(
        DiscriminatorConfig(in_channels=channels + 3, base_channels=options["ndf"], layers=4, scales=2)
    )
    states = {
        f"state.D.{published_discriminator_name(own, layers=4)}": tensor
        for own, tensor in discriminator.state_dict().items()
    }
    if options["use_vae"]:
        encoder = ImageEncoder(EncoderConfig(latent_dim=options["z_dim"], base_channels=options["ngf"]))
        states |= {f"state.E.{published_encoder_name(own)}": tensor for own, tensor in encoder.state_dict().items()}
    return states


@torch.no_grad()
def _evaluated(recording: Recording) -> dict[str, Tensor]:
    networks = recording.networks()
    fake = our_fake(recording, networks)
    pictures = torch.cat([fake, recording.tensors["in.image"]])
    features = networks.discriminator.eval()(recording.tensors["in.semantics"], pictures)
    evaluated = {"eval.fake": fake} | {
        f"eval.D.{scale}.{layer}": feature[:, :RECORDED_CHANNELS]
        for scale, layers in enumerate(features)
        for layer, feature in enumerate(layers)
    }
    if networks.encoder is not None:
        mean, log_variance = networks.encoder.eval()(recording.tensors["in.image"])
        evaluated |= {"eval.E.mu": mean, "eval.E.logvar": log_variance}
    return evaluated


def _trained(recording: Recording) -> dict[str, Tensor]:
    options, tensors = recording.options, recording.tensors
    networks = recording.networks()
    labels, instances = recording.inputs()
    noise = iter([tensors[name] for name in ("train.eps.0", "train.eps.1") if name in tensors])
    step = TrainingStep(
        networks,
        build_optimizers(networks, OptimizerConfig(learning_rate=options["lr"])),
        semantics=recording.generator_config(),
        losses=LossConfig(objective=Objective(options["gan_mode"]), kl=options["lambda_kld"]),
        config=StepConfig(exact_published=True, sparse_modulation=False),
        noise=lambda _: next(noise),
    )
    names = tuple(str(number) for number in range(len(labels)))
    result = step.run([TrainingBatch(labels=labels, instances=instances, pictures=tensors["in.image"], names=names)])
    trained = {"train.fake": result.fake}
    trained |= {f"train.loss.{name}": loss.reshape(1) for name, loss in result.losses.items()}
    return trained | _states_after(recording, networks)


def _states_after(recording: Recording, networks: Networks) -> dict[str, Tensor]:
    after: dict[str, Tensor] = {}
    for letter, network, names in recording.named(networks):
        for own, tensor in network.state_dict().items():
            exact = tensor.double()
            after[f"after.sum_l2.{letter}.{names(own)}"] = torch.stack([exact.sum(), exact.norm()])
            if tensor.numel() <= _WHOLE:
                after[f"after.{letter}.{names(own)}"] = tensor
    return after
