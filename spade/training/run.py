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
from spade.errors import CheckpointError, ConfigError, SpadeError
from spade.perceptual import PerceptualLoss, load_vgg19
from spade.synthesis import out_of_memory_translated
from spade.training.checkpoint_store import CheckpointStore
from spade.training.checkpoints import Checkpoints
from spade.training.config import TrainingConfig
from spade.training.distributed import Processes, lost_processes_told
from spade.training.ema import AveragedGenerator
from spade.training.feed import open_feed
from spade.training.listeners import Listener, Listeners, RunFacts
from spade.training.loop import Loop, LoopParts
from spade.training.networks import Networks, build_networks
from spade.training.noise import SampleNoise
from spade.training.objective import LossConfig
from spade.training.optimizers import build_optimizers
from spade.training.resumption import Origin, find_origin, go_on_from
from spade.training.samples import SampleSheets
from spade.training.signals import StopWish
from spade.training.start import start_from
from spade.training.start_files import FindVersion
from spade.training.state import RunState, saved_standing
from spade.training.step import TrainingStep
from spade.training.validation import Validation
from spade.training.validation_config import Standing


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
    find_version: FindVersion | None = None
    """Where the weights of a model's version are, for a run that starts from one."""


def train(config: TrainingConfig, processes: Processes, surroundings: Surroundings) -> bool:
    """Trains to the end of the schedule or of patience, or until a wish to stop; returns whether it came to the end.

    All processes call it with the same arguments. Raises SpadeError: of many kinds, each with one clear line.
    """
    feed = open_feed(config, processes)
    _seed_everything(config.seed)
    networks = _networks_on(config, processes.device)
    checkpoints = Checkpoints(surroundings.store, keep=config.intervals.keep_checkpoints)
    origin = find_origin(checkpoints, surroundings.resume, processes)
    config, notes = _begun(config, networks, origin, surroundings.find_version)
    noise = _noise(config, processes.device)
    step = _step(config, networks, noise, processes)
    state = RunState(
        config=config,
        networks=networks,
        optimizers=step.optimizers,
        scaler=step.scaler,
        average=AveragedGenerator(networks.generator, decay=config.ema.decay) if config.ema.decay else None,
        fingerprint=feed.fingerprint,
    )
    resumed_from = None
    if origin is not None:
        resumed_from = origin.place
        go_on_from(origin, state, checkpoints, processes)
    validation = _validation(config, processes)
    _begin_looks(state, validation, checkpoints, processes)
    parts = LoopParts(
        state=state,
        step=step,
        feed=feed,
        noise=noise,
        checkpoints=checkpoints,
        sheets=_sheets(config, surroundings.folder),
        validation=validation,
        processes=processes,
        listener=Listeners(list(surroundings.listeners) if processes.is_first else []),
        stop=surroundings.stop,
    )
    micro_batch = f"micro-batches of {feed.micro_batch_size} pictures: raise accumulation, or turn recomputation on"
    with (
        _told(parts, surroundings.folder, resumed_from, notes),
        lost_processes_told(processes.rank),
        lost_readers_told(),
        out_of_memory_translated(micro_batch),
    ):
        return Loop(parts, resumed_from=resumed_from).run()


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


def _begun(
    config: TrainingConfig, networks: Networks, origin: Origin | None, find_version: FindVersion | None
) -> tuple[TrainingConfig, tuple[str, ...]]:
    """Trained weights for a run from the beginning, if it is to start from any; the configuration says which files."""
    if config.start is None:
        return config, ()
    if origin is not None:
        return config, ("what it started from is not read again",)
    try:
        started = start_from(config.start, networks, find_version)
    except CheckpointError as error:  # weights that this configuration cannot use, today or tomorrow
        raise ConfigError(str(error)) from error
    return replace(config, start=started.config), started.notes


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


def _sheets(config: TrainingConfig, folder: Path) -> SampleSheets:
    """Of validation samples, which training never sees, where there are any."""
    try:
        dataset = open_dataset(config.dataset, Phase.VAL, seed=config.seed)
    except DatasetError:
        dataset = open_dataset(config.dataset, Phase.TRAIN, seed=config.seed)
    return SampleSheets(folder / "samples", dataset, len(dataset), config)


def _validation(config: TrainingConfig, processes: Processes) -> Validation | None:
    if config.validation is None or not processes.is_first:
        return None
    height, width = config.generator.height, config.generator.width
    return Validation(config.validation, config.dataset, height=height, width=width, device=processes.device)


def _begin_looks(
    state: RunState, validation: Validation | None, checkpoints: Checkpoints, processes: Processes
) -> None:
    """What looks under other terms came to is forgotten, and what looks came to whose best state is not kept any more.

    The file of the best state stays as it is: the run may end before it has another state to be known for.
    """
    if processes.is_first:
        standing = state.standing.under("" if validation is None else validation.terms)
        if standing.best is not None and not _is_best_kept(standing, checkpoints):
            standing = Standing(terms=standing.terms)
        state.standing = standing
    state.standing = processes.from_first(state.standing)


def _is_best_kept(standing: Standing, checkpoints: Checkpoints) -> bool:
    name = checkpoints.best()
    return name is not None and standing.is_met_by(
        saved_standing(checkpoints.load(name), where=checkpoints.place(name))
    )


@contextmanager
def _told(parts: LoopParts, folder: Path, resumed_from: str | None, notes: tuple[str, ...]) -> Iterator[None]:
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
        best_is_kept=parts.state.standing.best is not None,
        notes=notes,
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
    parts.listener.ended(_ending(parts.state))


def _ending(state: RunState) -> str:
    config, position = state.config, state.position
    if position.epoch > config.schedule.total:
        return "finished"
    if state.standing.is_over(config.validation):
        patience = (
            f"no better look at validation samples in the last {state.standing.worse_looks} (validation.patience)"
        )
        return f"finished after step {position.step}, with {patience}"
    return f"stopped after step {position.step}, as wished; it can go on"


def _device_name(device: torch.device) -> str:
    return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type
