"""One training iteration as published: its losses, its pictures, and every tensor of every network afterwards."""

from collections.abc import Iterator
from copy import deepcopy

import torch
from torch import Tensor

from spade.data.samples import TrainingBatch
from spade.encoder import sample_latent
from spade.losses import Objective
from spade.parity.evaluation import our_semantics
from spade.parity.recording import Recording
from spade.parity.report import TensorCheck, compare_norms, compare_values
from spade.training.networks import Networks
from spade.training.objective import LossConfig
from spade.training.optimizers import OptimizerConfig, build_optimizers
from spade.training.step import StepConfig, TrainingStep

PICTURE_TOLERANCE = 1e-4
LOSS_TOLERANCE = 1e-4
STATE_TOLERANCE = 1e-3
"""Of the norm of a tensor."""

_NEGLIGIBLE = 1e-6
"""A gradient this small beside its network's is zero in exact arithmetic: a bias in front of a norm, for instance."""


def check_training(recording: Recording, networks: Networks) -> list[TensorCheck]:
    """Run the iteration on `networks`, which it changes, and compare everything that is recorded of it."""
    options, tensors = recording.options, recording.tensors
    optimizer = OptimizerConfig(
        learning_rate=options["lr"],
        two_time_scales=not options["no_TTUR"],
        beta1=options["beta1"],
        beta2=options["beta2"],
    )
    labels, instances = recording.inputs()
    noise = iter([tensors[f"train.eps.{step}"] for step in range(2)] if recording.uses_encoder else [])
    step = TrainingStep(
        networks,
        build_optimizers(networks, optimizer),
        semantics=recording.generator_config(),
        losses=LossConfig(
            objective=Objective(options["gan_mode"]),
            feature_matching=0 if options["no_ganFeat_loss"] else options["lambda_feat"],
            kl=options["lambda_kld"],
        ),
        config=StepConfig(exact_published=True, sparse_modulation=False),
        noise=lambda _: next(noise),
    )
    exact = _pictures_in_float64(recording, networks)
    names = tuple(str(number) for number in range(len(labels)))
    batch = TrainingBatch(labels=labels, instances=instances, pictures=tensors["in.image"], names=names)
    result = step.run([batch])
    return [
        # Statistics of so few pixels magnify rounding: two right results in float32 are up to 1e-4 apart, on some
        # processors more, each being about half as far from the exact one.
        compare_values("train.fake", tensors["train.fake"], exact, tolerance=PICTURE_TOLERANCE),
        compare_values("train.fake (float32)", exact, result.fake, tolerance=PICTURE_TOLERANCE),
        *_check_losses(recording, result.losses),
        *_check_states(recording, networks, optimizer),
    ]


@torch.no_grad()
def _pictures_in_float64(recording: Recording, networks: Networks) -> Tensor:
    """What the generator makes in the iteration, all but free of rounding; `networks` stay as they are."""
    tensors = recording.tensors
    generator = deepcopy(networks.generator).double().train()
    inputs = [our_semantics(recording).double()]
    if networks.encoder is not None:
        mean, log_variance = deepcopy(networks.encoder).double().train()(tensors["in.image"].double())
        inputs.append(sample_latent(mean, log_variance, tensors["train.eps.0"].double()))
    pictures: Tensor = generator(*inputs)
    return pictures


def _check_losses(recording: Recording, losses: dict[str, Tensor]) -> Iterator[TensorCheck]:
    for name, recorded in recording.tensors.items():
        if name.startswith("train.loss."):
            ours = losses[name.removeprefix("train.loss.")].reshape(1)
            yield compare_values(name, recorded, ours, tolerance=LOSS_TOLERANCE, relative=True)


def _check_states(recording: Recording, networks: Networks, optimizer: OptimizerConfig) -> Iterator[TensorCheck]:
    rates = {"G": optimizer.generator_rate, "E": optimizer.generator_rate, "D": optimizer.discriminator_rate}
    for letter, network, names in recording.named(networks):
        undetermined = _undetermined(network)
        for own, ours in network.state_dict().items():
            name = f"{letter}.{names(own)}"
            if own in undetermined:
                yield _check_step_size(recording, name, ours, rate=rates[letter])
                continue
            yield _check_sum_and_norm(recording.tensors[f"after.sum_l2.{name}"], f"after.sum_l2.{name}", ours)
            if f"after.{name}" in recording.tensors:
                yield compare_norms(
                    f"after.{name}", recording.tensors[f"after.{name}"], ours, tolerance=STATE_TOLERANCE
                )


def _undetermined(network: torch.nn.Module) -> set[str]:
    """Parameters whose gradient is rounding error, which Adam's first step turns into a full step of either sign."""
    norms = {
        name: parameter.grad.norm().item()
        for name, parameter in network.named_parameters()
        if parameter.grad is not None
    }
    whole = max(norms.values())
    return {name for name, norm in norms.items() if norm < _NEGLIGIBLE * whole}


def _check_step_size(recording: Recording, name: str, ours: Tensor, *, rate: float) -> TensorCheck:
    """Both runs must have moved such a parameter by no more than one step of Adam from where it was."""
    recorded = recording.tensors.get(f"after.{name}", ours)
    before = recording.tensors[f"state.{name}"]
    moved = max((after - before).abs().max().item() for after in (recorded, ours))
    detail = "its gradient is zero up to rounding, so only the size of its step is compared"
    return TensorCheck(tensor=f"after.{name}", difference=moved, tolerance=rate * (1 + 1e-3), detail=detail)


def _check_sum_and_norm(recorded: Tensor, name: str, ours: Tensor) -> TensorCheck:
    """By the norm, and by the sum with the share of it that a difference of that norm may have."""
    exact = ours.double()
    total, norm = (value.item() for value in recorded)
    scale = norm or 1.0
    of_norm = abs(exact.norm().item() - norm) / scale
    of_sum = abs(exact.sum().item() - total) / (scale * exact.numel() ** 0.5)
    return TensorCheck(tensor=name, difference=max(of_norm, of_sum), tolerance=STATE_TOLERANCE)
