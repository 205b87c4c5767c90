"""From a configuration to everything that a run consists of, and through it."""

import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from spade.blocks import SpadeBlock
from spade.data.config import Phase
from spade.data.errors import DatasetError, lost_readers_told
from spade.data.opening import open_dataset
from spade.errors import CheckpointError, SpadeError
from spade.perceptual import PerceptualLoss, load_vgg19
from spade.synthesis import out_of_memory_translated
from spade.training.checkpoint_store import CheckpointStore
from spade.training.checkpoints import Checkpoints, read_checkpoint
from spade.training.config import TrainingConfig
from spade.training.distributed import Processes, lost_processes_told
from spade.training.ema import AveragedGenerator
from spade.training.feed import Feed
from spade.training.listeners import Listener, Listeners, RunFacts
from spade.training.loop import Loop, LoopParts
from spade.training.networks import Networks, build_networks
from spade.training.noise import SampleNoise
from spade.training.objective import LossConfig
from spade.training.optimizers import build_optimizers
from spade.training.samples import SampleSheets
from spade.training.signals import StopWish
from spade.training.state import RunState
from spade.training.step import TrainingStep

RESUME_AUTO = "auto"
RESUME_NEVER = "never"


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """Where a run takes place; none of it changes what it computes."""

    folder: Path
    """Where its results go."""
    store: CheckpointStore
    resume: str
    """`auto` goes on from the last checkpoint, if there is one; `never` refuses where there is one; or the path of a
    checkpoint to go on from."""
    listeners: Sequence[Listener]
    stop: StopWish


def train(config: TrainingConfig, processes: Processes, surroundings: Surroundings) -> bool:
    """Trains to the end of the schedule or until a wish to stop; returns whether it came to the end.

    All processes call it with the same arguments. Raises SpadeError: of many kinds, each with one clear line.
    """
    feed = open_feed(config, processes)
    _seed_everything(config.seed)
    networks = _networks_on(config, processes.device)
    noise = _noise(config, processes.device)
    step = _step(config, networks, noise, processes)
    state = RunState(
        config=config,
        networks=networks,
        optimizers=step.optimizers,
        scaler=step.scaler,
        average=AveragedGenerator(networks.generator, decay=config.ema.decay) if config.ema.decay else None,
    )
    checkpoints = Checkpoints(surroundings.store, keep=config.intervals.keep_checkpoints)
    resumed_from = _resume(state, checkpoints, surroundings.resume, processes)
    parts = LoopParts(
        state=state,
        step=step,
        feed=feed,
        noise=noise,
        checkpoints=checkpoints,
        sheets=_sheets(config, surroundings.folder),
        processes=processes,
        listener=Listeners(list(surroundings.listeners) if processes.is_first else []),
        stop=surroundings.stop,
    )
    micro_batch = f"micro-batches of {feed.micro_batch_size} pictures: raise accumulation, or turn recomputation on"
    with (
        _told(parts, surroundings.folder, resumed_from),
        lost_processes_told(processes.rank),
        lost_readers_told(),
        out_of_memory_translated(micro_batch),
    ):
        return Loop(parts, resumed_from=resumed_from).run()


def open_feed(config: TrainingConfig, processes: Processes) -> Feed:
    """The training samples of `config` as steps.

    Raises DatasetError, ConfigError: where there is no such dataset, or it does not fit the batch size.
    """
    micro_batch_size = config.micro_batch_size(processes.count)
    dataset = open_dataset(config.dataset, Phase.TRAIN, seed=config.seed)
    return Feed(
        dataset=dataset,
        length=len(dataset),
        seed=config.seed,
        processes=processes,
        micro_batch_size=micro_batch_size,
        accumulation=config.accumulation,
        workers=config.workers,
        shuffle=config.shuffle,
    )


def scaled_to_global_batch(losses: LossConfig, parts: int) -> LossConfig:
    """The losses of one of `parts` that a step's batch is divided into, over which gradients are averaged.

    All terms are means over the batch but that of KL, which is a sum; so that the parts together weigh it as one batch
    would, each has to weigh it `parts` times.
    """
    return replace(losses, kl=losses.kl * parts)


def _networks_on(config: TrainingConfig, device: torch.device) -> Networks:
    networks = build_networks(config.pix2pixhd or config.generator, config.discriminator, config.encoder, config.init)
    for module in networks.modules():
        module.to(device)
    for block in networks.generator.modules():
        if isinstance(block, SpadeBlock):
            block.recomputes = config.recomputation
    return networks


def _step(config: TrainingConfig, networks: Networks, noise: SampleNoise | None, processes: Processes) -> TrainingStep:
    perceptual = None
    if config.vgg19 is not None:
        perceptual = PerceptualLoss(load_vgg19(config.vgg19)).to(processes.device)
    return TrainingStep(
        networks,
        build_optimizers(networks, config.optimizer),
        semantics=config.generator,
        losses=scaled_to_global_batch(config.losses, processes.count * config.accumulation),
        config=config.step,
        perceptual=perceptual,
        noise=noise,
        wrap=processes.wrap,
    )


def _noise(config: TrainingConfig, device: torch.device) -> SampleNoise | None:
    if config.encoder is None:
        return None
    return SampleNoise(seed=config.seed, latent_dim=config.encoder.latent_dim, device=device)


def _seed_everything(seed: int) -> None:
    """All processes alike: their networks have to start from the same weights."""
    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch.manual_seed(seed)


def _resume(state: RunState, checkpoints: Checkpoints, resume: str, processes: Processes) -> str | None:
    """Brings `state` to where it is to go on from; returns where that lies, or None for a run from the beginning."""
    if resume not in (RESUME_AUTO, RESUME_NEVER):
        state.load_mapping(read_checkpoint(Path(resume), where=resume), where=resume)
        return resume
    # The first process decides, lest another one sees a checkpoint come or go in the meantime.
    name = processes.from_first(checkpoints.latest() if processes.is_first else None)
    if name is None:
        return None
    place = checkpoints.place(name)
    if resume == RESUME_NEVER:
        raise CheckpointError(
            f"{place}: there is a run already; go on from it with --resume auto, or choose another folder"
        )
    state.load_mapping(checkpoints.load(name), where=place)
    if processes.is_first:
        checkpoints.remove_others(name)
    return place


def _sheets(config: TrainingConfig, folder: Path) -> SampleSheets:
    """Of validation samples, which training never sees, where there are any."""
    try:
        dataset = open_dataset(config.dataset, Phase.VAL, seed=config.seed)
    except DatasetError:
        dataset = open_dataset(config.dataset, Phase.TRAIN, seed=config.seed)
    return SampleSheets(folder / "samples", dataset, len(dataset), config)


@contextmanager
def _told(parts: LoopParts, folder: Path, resumed_from: str | None) -> Iterator[None]:
    """Tells the listeners when the run begins and how it ends."""
    config, position = parts.state.config, parts.state.position
    facts = RunFacts(
        config=config,
        folder=folder,
        device=_device_name(parts.processes.device),
        processes=parts.processes.count,
        samples=parts.feed.length,
        total_steps=parts.feed.steps_per_epoch * config.schedule.total,
        resumed_from=resumed_from,
        start_step=position.step,
        start_pictures=position.pictures,
    )
    parts.listener.started(facts)
    try:
        yield
    except BaseException as error:
        with suppress(OSError):  # whatever is wrong with the disk may be the reason too, which comes first
            parts.listener.ended(f"failed: {error if isinstance(error, SpadeError) else type(error).__name__}")
        raise
    done = position.epoch > config.schedule.total
    parts.listener.ended("finished" if done else f"stopped after step {position.step}, as wished; it can go on")


def _device_name(device: torch.device) -> str:
    return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type
