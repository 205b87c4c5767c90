"""One training iteration: what generator and discriminator learn from one batch.

The published iteration runs the generator twice and the discriminator twice: a generator step, then a discriminator
step on pictures that the updated generator makes anew. By default each runs once: the discriminator learns from the
pictures that the generator has just made, and both losses come from the same judgement. `exact_published` runs the
published one.

B batch, K semantic channels, H W pixels.
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from spade.config import Precision
from spade.data.samples import LabelBatch, TrainingBatch
from spade.discriminator import Features
from spade.encoder import sample_latent
from spade.errors import ConfigError
from spade.generator import SpadeGenerator
from spade.labels import dense_semantics
from spade.perceptual import PerceptualLoss
from spade.semantics import SparseSemantics
from spade.semantics_form import SemanticsForm, reads_pictures
from spade.training.networks import Networks
from spade.training.objective import (
    Generated,
    LossConfig,
    Losses,
    losses_of_discriminator,
    losses_of_generator,
    total,
)
from spade.training.optimizers import Optimizers

Noise = Callable[[int], Tensor]
"""Draws standard normal noise (n, latent_dim)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StepConfig:
    """How an iteration is computed.

    Raises ConfigError: where a number is below 1.
    """

    exact_published: bool = False
    discriminator_steps: int = 1
    """Steps of the discriminator for each of the generator, which learns from the first of them only."""
    sparse_modulation: bool = True
    precision: Precision = Precision.FLOAT32
    """Of activations; weights, spectral norm, batch statistics and losses are float32 always."""

    def __post_init__(self) -> None:
        if self.discriminator_steps < 1:
            raise ConfigError(f"step: discriminator_steps is {self.discriminator_steps}; it must be at least 1")

    def generator_learns(self, step: int) -> bool:
        """Whether `step`, counted from 0, is one of the generator's too."""
        return step % self.discriminator_steps == 0


@dataclass(frozen=True, slots=True)
class StepResult:
    """Weighted losses, means over the micro-batches, and the pictures made of the last one, (B, 3, H, W)."""

    losses: Losses
    fake: Tensor


@dataclass(frozen=True, slots=True)
class _Lesson:
    """Weighted losses, and the parameters that learn from them."""

    losses: Losses
    parameters: list[nn.Parameter]


class TrainingStep:
    """Runs iterations. The networks may be wrapped for several processes; the semantics' form is `config`'s."""

    def __init__(
        self,
        networks: Networks,
        optimizers: Optimizers,
        *,
        semantics: SemanticsForm,
        losses: LossConfig,
        config: StepConfig,
        perceptual: PerceptualLoss | None = None,
        noise: Noise | None = None,
        wrap: Callable[[nn.Module], nn.Module] = lambda module: module,
    ) -> None:
        self.networks = networks
        self.optimizers = optimizers
        self._semantics = semantics
        self._losses = losses
        self._config = config
        self._perceptual = perceptual
        self._noise = noise
        self._generator = wrap(networks.generator)
        self._discriminator = wrap(networks.discriminator)
        self._encoder = None if networks.encoder is None else wrap(networks.encoder)
        self._device = next(networks.generator.parameters()).device
        # float16 needs its losses scaled up, lest small gradients vanish; bfloat16 has the exponents of float32.
        self.scaler = torch.amp.GradScaler(self._device.type, enabled=config.precision is Precision.FLOAT16)

    def run(self, micro_batches: Sequence[TrainingBatch], *, generator_learns: bool = True) -> StepResult:
        """Learn from the micro-batches together, as from one batch of them all but for batch statistics.

        Where the generator does not learn, its losses are not among the result's.
        """
        self.networks.train()
        generator, discriminator = self.optimizers.generator, self.optimizers.discriminator
        if not generator_learns:
            return self._phase(micro_batches, self._teach_discriminator, discriminator)
        if self._config.exact_published:
            first = self._phase(micro_batches, self._teach_generator, generator)
            second = self._phase(micro_batches, self._teach_discriminator, discriminator)
            return StepResult(first.losses | second.losses, first.fake)
        return self._phase(micro_batches, self._teach_both, generator, discriminator)

    def _phase(
        self,
        micro_batches: Sequence[TrainingBatch],
        teach: Callable[[TrainingBatch], tuple[list[_Lesson], Tensor]],
        *optimizers: torch.optim.Optimizer,
    ) -> StepResult:
        """Gradients of what `teach` makes of each micro-batch, its lessons and the pictures; then one step."""
        for optimizer in optimizers:
            optimizer.zero_grad()
        means: Losses = {}
        share = 1 / len(micro_batches)
        for synchronizing, batch in self._each(micro_batches):
            with synchronizing:
                with self._autocast():
                    lessons, fake = teach(batch)
                for lesson in lessons:
                    loss = self.scaler.scale(total(lesson.losses) * share)
                    loss.backward(inputs=lesson.parameters, retain_graph=lesson is not lessons[-1])
            for lesson in reversed(lessons):  # the generator's losses first, as in the published logs
                _accumulate(means, lesson.losses, share)
        for optimizer in optimizers:
            self.scaler.step(optimizer)
        self.scaler.update()
        return StepResult(means, fake)

    def _teach_both(self, batch: TrainingBatch) -> tuple[list[_Lesson], Tensor]:
        """One pass of each network. Neither player has moved when the losses of both are computed."""
        lesson, judged, fake = self._judged_lesson_of_generator(batch)
        opposing = losses_of_discriminator(self._losses, judged)
        # The small network first: the second pass, through both, frees what it has used as it goes.
        return [_Lesson(opposing, list(self.networks.discriminator.parameters())), lesson], fake

    def _teach_generator(self, batch: TrainingBatch) -> tuple[list[_Lesson], Tensor]:
        lesson, _, fake = self._judged_lesson_of_generator(batch)
        return [lesson], fake

    def _teach_discriminator(self, batch: TrainingBatch) -> tuple[list[_Lesson], Tensor]:
        inputs = self._inputs(batch)
        with torch.no_grad():
            fake = self._generate(batch, inputs).pictures
        losses = losses_of_discriminator(self._losses, self._judge(inputs, fake, batch))
        return [_Lesson(losses, list(self.networks.discriminator.parameters()))], fake

    def _judged_lesson_of_generator(self, batch: TrainingBatch) -> tuple[_Lesson, Features, Tensor]:
        inputs = self._inputs(batch)
        generated = self._generate(batch, inputs)
        judged = self._judge(inputs, generated.pictures, batch)
        losses = losses_of_generator(self._losses, generated, judged, batch.pictures, self._perceptual)
        return _Lesson(losses, self.networks.generator_parameters()), judged, generated.pictures.detach()

    def _inputs(self, batch: TrainingBatch) -> Tensor | SparseSemantics:
        sparse = self._config.sparse_modulation and isinstance(self.networks.generator, SpadeGenerator)
        return semantics_of(batch, self._semantics, sparse=sparse)

    def _generate(self, batch: TrainingBatch, inputs: Tensor | SparseSemantics) -> Generated:
        if self._encoder is None or self._noise is None:
            return Generated(self._generator(inputs), None)
        mean, log_variance = self._encoder(batch.pictures)
        z = sample_latent(mean.float(), log_variance.float(), self._noise(len(batch.pictures)))
        return Generated(self._generator(inputs, z), (mean, log_variance))

    def _judge(self, inputs: Tensor | SparseSemantics, fake: Tensor, batch: TrainingBatch) -> Features:
        dense = inputs if isinstance(inputs, Tensor) else inputs.dense(*batch.pictures.shape[2:])
        if self._config.exact_published:  # rounds as the published code does, which never shares the semantics' part
            dense = torch.cat([dense, dense])
        pictures = torch.cat([fake, batch.pictures])
        judged: Features = self._discriminator(dense, pictures)
        return judged

    def _each(
        self, micro_batches: Sequence[TrainingBatch]
    ) -> Sequence[tuple[AbstractContextManager[object], TrainingBatch]]:
        """The micro-batches; processes exchange gradients only at the last one."""
        last = len(micro_batches) - 1
        return [
            (nullcontext() if number == last else self._not_synchronizing(), batch)
            for number, batch in enumerate(micro_batches)
        ]

    def _not_synchronizing(self) -> AbstractContextManager[object]:
        stack = ExitStack()
        for module in (self._generator, self._discriminator, self._encoder):
            if isinstance(module, DistributedDataParallel):
                stack.enter_context(module.no_sync())
        return stack

    def _autocast(self) -> torch.autocast:
        dtype = {Precision.BFLOAT16: torch.bfloat16, Precision.FLOAT16: torch.float16}.get(self._config.precision)
        return torch.autocast(self._device.type, dtype=dtype, enabled=dtype is not None)


def semantics_of(batch: LabelBatch, form: SemanticsForm, *, sparse: bool) -> Tensor | SparseSemantics:
    """What a generator reads of the batch, dense (B, K, H, W) or, where there are classes, `sparse`.

    Raises ConfigError: where an id has no channel.
    """
    if sparse and not reads_pictures(form):
        return SparseSemantics(batch.labels, batch.instances, form)
    return dense_semantics(batch.labels, batch.instances, form)


def _accumulate(means: Losses, losses: Losses, share: float) -> None:
    for name, loss in losses.items():
        means[name] = means.get(name, torch.zeros_like(loss)) + share * loss.detach()
