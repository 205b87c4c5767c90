"""What a run has learned so far, read from one of its checkpoints."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Self

from spade.device import pick_device
from spade.errors import CheckpointError
from spade.training.checkpoint_store import open_store
from spade.training.checkpoints import Checkpoints, read_checkpoint
from spade.training.config import TrainingConfig
from spade.training.distributed import Processes
from spade.training.ema import AveragedGenerator
from spade.training.estimation import estimated_average
from spade.training.feed import open_feed
from spade.training.networks import Generator, Networks, build_networks
from spade.training.state import Position, saved_config, saved_standing, what_is_missing_told


class Weights(StrEnum):
    """Which of a generator's weights."""

    AVERAGE = "average"  # over the steps, with batch statistics estimated anew
    LAST = "last"  # as the last step left them


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainedRun:
    """A run as of one checkpoint, on the CPU."""

    place: str
    config: TrainingConfig
    position: Position
    networks: Networks
    """In evaluation mode; the generator with its last weights."""
    average: AveragedGenerator | None

    @classmethod
    def from_checkpoint(cls, saved: dict[str, Any], *, place: str) -> Self:
        """From what a checkpoint at `place` holds. Raises CheckpointError: where that is of no use, or not whole."""
        with what_is_missing_told(place):
            return cls._from_checkpoint(saved, place)

    @classmethod
    def _from_checkpoint(cls, saved: dict[str, Any], place: str) -> Self:
        config = saved_config(saved, where=place)
        networks = build_networks(
            config.pix2pixhd or config.generator, config.discriminator, config.encoder, config.init
        )
        for name, network in networks.named():
            network.load_state_dict(saved["networks"][name])
            network.eval()
        average = None
        if saved["average"] is not None:
            average = AveragedGenerator(networks.generator, decay=config.ema.decay)
            average.load_state_dict(saved["average"])
        return cls(
            place=place,
            config=config,
            position=Position(**saved["position"]),
            networks=networks,
            average=average,
        )

    def generator(self, weights: Weights, *, device: str = "auto", dataroot: str | None = None) -> Generator:
        """The generator in evaluation mode, on the CPU.

        For the average its training samples are read, to estimate batch statistics on `device`; they lie where they lay
        in training, or at `dataroot`.

        Raises CheckpointError: where the run kept no average. DatasetError: where the samples cannot be read.
        """
        if weights is Weights.LAST:
            return self.networks.generator
        if self.average is None:
            raise CheckpointError(f"{self.place}: this run kept no average (ema.decay 0); take the last weights")
        config = self.config
        if dataroot is not None:
            config = dataclasses.replace(config, dataset=dataclasses.replace(config.dataset, root=dataroot))
        processes = Processes(device=pick_device(device))
        feed = open_feed(config, processes)
        return estimated_average(self.average.to(processes.device), config, feed).cpu()


def read_trained_run(place: str, environment: Mapping[str, str]) -> TrainedRun:
    """The run whose folder, folder or URL of checkpoints, or checkpoint is at `place`.

    Of several checkpoints it is the one that the looks of the last one found best, or else the last one.

    Raises CheckpointError: where there is none, or it cannot be read.
    """
    if Path(place).is_file():
        return TrainedRun.from_checkpoint(read_checkpoint(Path(place), where=place), place=place)
    inside = Path(place) / "checkpoints"
    checkpoints = Checkpoints(open_store(str(inside) if inside.is_dir() else place, environment), keep=1)
    best, latest = checkpoints.best(), checkpoints.latest()
    name = latest or best
    if name is None:
        raise CheckpointError(f"{place}: there is no checkpoint of a training run")
    saved = checkpoints.load(name)
    if best is not None and best != name:
        found_best = checkpoints.load(best)
        standing = saved_standing(saved, where=checkpoints.place(name))
        if standing.is_met_by(saved_standing(found_best, where=checkpoints.place(best))):
            name, saved = best, found_best
    return TrainedRun.from_checkpoint(saved, place=checkpoints.place(name))
