"""The training loop: steps over epochs, and what is written between them."""

import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass

import torch

from spade.config import Precision
from spade.errors import CheckpointError
from spade.training.checkpoints import Checkpoints
from spade.training.distributed import Processes
from spade.training.errors import DivergenceError
from spade.training.estimation import estimated_average
from spade.training.feed import Feed, StepSamples
from spade.training.listeners import Listener, Look
from spade.training.meter import Meter, senseless
from spade.training.networks import Generator
from spade.training.noise import SampleNoise
from spade.training.resumption import RESUME_AUTO
from spade.training.samples import SampleSheets
from spade.training.signals import StopWish
from spade.training.state import RunState
from spade.training.step import TrainingStep
from spade.training.validation import DISTANCE, Validation
from spade.training.validation_config import Standing

_LOSS_LIMIT = 1e6
"""No objective of pictures in [-1, 1] comes near it while anything is learned."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoopParts:
    """What a loop works with."""

    state: RunState
    step: TrainingStep
    feed: Feed
    noise: SampleNoise | None
    """Of the VAE variant."""
    checkpoints: Checkpoints
    sheets: SampleSheets
    validation: Validation | None
    """Of the first process, where there is one."""
    processes: Processes
    listener: Listener
    stop: StopWish


class Loop:
    """A run from its state on. All processes run the same loop; only the first one writes and tells."""

    def __init__(self, parts: LoopParts, *, resumed_from: str | None) -> None:
        self._parts = parts
        self._state = parts.state
        self._config = parts.state.config
        self._meter = Meter(parts.processes)
        self._last_checkpoint = resumed_from
        self._saved = self._place()
        self._clock = time.perf_counter()

    def run(self) -> bool:
        """Trains to the end of the schedule or of patience, or until a wish to stop; returns whether to the end.

        Either way the last state is saved. The wish of one process stops all of them after the same step.

        Raises DivergenceError: where losses or weights are no longer sensible. DatasetError, CheckpointError: where a
        sample cannot be read, or a checkpoint not be written.
        """
        position, parts = self._state.position, self._parts
        if self._lacks_look and self._is_look_due:
            self._validate()  # which failed, or was under other terms
        while position.epoch <= self._config.schedule.total and not self._is_patience_over:
            self._state.optimizers.set_share(self._config.optimizer, self._config.schedule.share(position.epoch))
            self._clock = time.perf_counter()
            for samples in parts.feed.steps(position.epoch, position.taken):
                if self._is_patience_over:
                    break
                if parts.processes.any(parts.stop.wished):
                    self._save()
                    return False
                self._learn(samples)
                self._write_what_is_due()
            else:
                position.epoch += 1
                position.taken = 0
                self._keep(position.epoch - 1)
        if self._lacks_look:  # the end is looked at too
            self._save()
            self._validate()
        self._save()
        if not self._is_due(self._config.intervals.sample):
            self._sample()
        return True

    def _learn(self, samples: StepSamples) -> None:
        parts, position = self._parts, self._state.position
        if parts.noise is not None:
            parts.noise.expect(samples.keys)
        generator_learns = self._config.step.generator_learns(position.step)
        result = parts.step.run(samples.micro_batches, generator_learns=generator_learns)
        if self._state.average is not None and generator_learns:
            self._state.average.update(self._state.networks.generator)
        pictures = parts.feed.batch_size
        position.taken += pictures
        position.step += 1
        position.pictures += pictures
        if self._is_due(self._config.intervals.log) and parts.processes.device.type == "cuda":
            torch.cuda.synchronize()  # the time of what is still under way belongs to these steps
        seconds = self._lap()
        position.seconds += seconds
        self._meter.add(result.losses, epoch=position.epoch, pictures=pictures, seconds=seconds)
        parts.listener.stepped(position.pictures, seconds)

    def _write_what_is_due(self) -> None:
        intervals = self._config.intervals
        if self._is_due(intervals.log):
            self._measure()
        if self._is_look_due:
            self._validate()  # before the checkpoint, which tells how it stands
        if self._is_due(intervals.checkpoint):
            self._save()
        if self._is_due(intervals.sample):
            self._sample()
        self._lap()

    @property
    def _is_look_due(self) -> bool:
        return self._config.validation is not None and self._is_due(self._config.validation.interval)

    @property
    def _lacks_look(self) -> bool:
        return self._config.validation is not None and self._state.standing.pictures != self._state.position.pictures

    def _is_due(self, interval: int) -> bool:
        """Whether the last step came to a multiple of `interval` pictures or went over one."""
        pictures = self._state.position.pictures
        return pictures // interval > (pictures - self._parts.feed.batch_size) // interval

    def _measure(self) -> None:
        metrics = self._meter.read(self._state.position, self._state.optimizers)
        wrong = senseless(metrics, _LOSS_LIMIT)
        # float16 leaves out a step whose gradients overflow and halves its scale; below 1 that is of no more help.
        if wrong and not (self._config.step.precision is Precision.FLOAT16 and self._state.scaler.get_scale() >= 1):
            raise self._divergence(", ".join(wrong))
        self._parts.listener.measured(metrics)

    def _save(self) -> None:
        position = self._state.position
        if self._place() == self._saved:
            return
        self._require_sense()
        if self._parts.processes.is_first:
            self._parts.checkpoints.save(position.step, self._state.to_mapping())
            if self._state.standing.best is None:
                self._parts.checkpoints.forget_best()  # of looks that are over
        self._saved = self._place()
        self._last_checkpoint = self._parts.checkpoints.place_of_step(position.step)
        self._parts.listener.saved(self._last_checkpoint)

    def _place(self) -> tuple[int, int, Standing]:
        """What tells states apart: with epoch and standing, so that the last checkpoint of a run says how it ended."""
        return self._state.position.step, self._state.position.epoch, self._state.standing

    def _keep(self, epoch: int) -> None:
        """For good, where `epoch`, which has just ended, is one of those."""
        every = self._config.intervals.keep_epochs
        if every is None or epoch % every:
            return
        self._require_sense()
        if self._parts.processes.is_first:
            self._parts.checkpoints.keep(epoch, self._state.to_mapping())

    def _require_sense(self) -> None:
        """Before anything is saved. Raises DivergenceError: where losses or weights are no longer sensible."""
        if not self._meter.is_empty:
            self._measure()
        wrong = self._state.senseless_weights()
        if wrong:
            raise self._divergence(", ".join(wrong))

    def _sample(self) -> None:
        parts, average = self._parts, self._average()
        if parts.processes.is_first:
            parts.listener.sampled(parts.sheets.draw(self._state, average))

    def _validate(self) -> None:
        """The first process looks, and all of them learn how it stands.

        Where that fails the state is saved as it was, so that the look can be made from there.
        """
        self._require_sense()
        before = self._state.standing
        try:
            self._look_at_samples(self._average())
        except Exception:
            self._state.standing = before
            with suppress(CheckpointError):  # the disk may be full, which the first error told too
                self._save()
            raise
        self._state.standing = self._parts.processes.from_first(self._state.standing)

    def _look_at_samples(self, average: Generator | None) -> None:
        state, parts = self._state, self._parts
        if parts.validation is None:
            return
        metrics = parts.validation.look(average or state.networks.generator.eval())
        state.standing = state.standing.after(metrics[DISTANCE], pictures=state.position.pictures)
        if state.standing.is_best:
            parts.checkpoints.keep_best(state.to_mapping())
        parts.listener.validated(self._look(metrics))

    def _look(self, metrics: Mapping[str, float]) -> Look:
        position = self._state.position
        return Look(
            time=time.time(),
            epoch=position.epoch,
            step=position.step,
            pictures=position.pictures,
            metrics=metrics,
            best=self._state.standing.is_best,
        )

    def _average(self) -> Generator | None:
        """Ready for use, if one is kept; all processes estimate its statistics together."""
        if self._state.average is None:
            return None
        return estimated_average(self._state.average, self._config, self._parts.feed)

    @property
    def _is_patience_over(self) -> bool:
        return self._state.standing.is_over(self._config.validation)

    def _lap(self) -> float:
        """Seconds since the last lap."""
        before, self._clock = self._clock, time.perf_counter()
        return self._clock - before

    def _divergence(self, wrong: str) -> DivergenceError:
        way_back, place = "there is no checkpoint before it", self._last_checkpoint
        if place is not None:
            latest = self._parts.checkpoints.latest()
            is_latest = latest is not None and self._parts.checkpoints.place(latest) == place
            resume = RESUME_AUTO if is_latest else place
            way_back = f"the last good checkpoint is {place}, from which --resume {resume} goes on"
        return DivergenceError(
            f"training diverged at step {self._state.position.step}: {wrong}; {way_back}; "
            "lower optimizer.learning_rate, or compute in float32, before you go on"
        )
