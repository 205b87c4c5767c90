"""Fine-tuning: networks that begin with trained weights."""

from collections.abc import Collection
from dataclasses import dataclass, replace

from torch import Tensor, nn

from spade.checkpoint import describe
from spade.config import GeneratorConfig
from spade.discriminator import MultiscaleDiscriminator
from spade.errors import CheckpointError
from spade.generator import SpadeGenerator
from spade.normalization import SpadeNorm
from spade.pix2pixhd import Pix2PixHDConfig, Pix2PixHDGenerator
from spade.training.networks import Networks
from spade.training.start_config import StartConfig
from spade.training.start_files import FindVersion, TrainedNetwork, TrainedNetworks, read_trained_networks
from spade.training.start_size import at_size_of
from spade.weights import file_digest

_REMEDY = "; if the classes are others, say --start-from-other-classes"
_UNSEEN = ("upsampling", "output_multiplier")
"""Settings of a generator that change its pictures but no tensor's shape."""
_FORM = ("label_nc", "dont_care", "instance_edges")


@dataclass(frozen=True, slots=True)
class Started:
    """What was done."""

    config: StartConfig
    """With the digests of the files."""
    notes: tuple[str, ...]
    """A line about each network."""


def start_from(config: StartConfig, networks: Networks, find_version: FindVersion | None = None) -> Started:
    """Gives `networks` the trained weights that `config` names.

    Raises CheckpointError: where there are none, a tensor has another shape, naming the first one and both shapes, or
    the files are not those of the digests. Nothing is changed then.
    """
    trained = dict(read_trained_networks(config.weights, networks, find_version))
    resized = _fit_size(networks, trained)
    digests = _digests(trained)
    if config.digests and config.digests != digests:
        raise CheckpointError(
            f"{config.weights}: its files are {', '.join(digests)}, but start.digests says "
            f"{', '.join(config.digests)}; leave start.digests out to take the files as they are"
        )
    fresh = {name: reading_classes(network) if config.other_classes else () for name, network in networks.named()}
    for name, network in networks.named():
        if name in trained:
            _require_fitting(network, trained[name], fresh[name])
    if not config.other_classes:
        _require_same_classes(networks, trained["generator"])
    notes = [_begin(name, network, trained.get(name), fresh[name]) for name, network in networks.named()] + resized
    if "encoder" in trained and networks.encoder is None:
        notes.append(f"encoder: {trained['encoder'].file} is not used, for this run trains none")
    return Started(replace(config, digests=digests), tuple(notes))


def reading_classes(network: nn.Module) -> tuple[str, ...]:
    """The names of the layers whose shapes depend on the classes, as they begin the names of their tensors."""
    if isinstance(network, MultiscaleDiscriminator):
        return tuple(f"scales.{number}.convolutions.0." for number in range(len(network.scales)))
    if isinstance(network, Pix2PixHDGenerator):
        return ("start.",)
    if not isinstance(network, SpadeGenerator):
        return ()
    layers = [f"{name}.shared." for name, module in network.named_modules() if isinstance(module, SpadeNorm)]
    return tuple(layers if network.config.latent_dim is not None else ["start.", *layers])


def _fit_size(networks: Networks, trained: dict[str, TrainedNetwork]) -> list[str]:
    """Brings the trained generator to the size of ours; returns a line that says so, or none."""
    network, theirs = networks.generator, trained["generator"]
    if not isinstance(network, SpadeGenerator):
        return []
    trained["generator"] = at_size_of(theirs, network.config)
    if trained["generator"] is theirs or not isinstance(theirs.config, GeneratorConfig):
        return []
    before, after = (f"{config.width}x{config.height}" for config in (theirs.config, network.config))
    return [f"generator: was trained at {before}; its first features are resized to those of {after}"]


def _digests(trained: TrainedNetworks) -> tuple[str, ...]:
    files = dict.fromkeys(network.file for network in trained.values())
    return tuple(f"{file_digest(file).sha256}  {file.name}" for file in files)


def _require_fitting(network: nn.Module, trained: TrainedNetwork, fresh: Collection[str]) -> None:
    """Raises CheckpointError: naming the first tensor that is missing, of another shape, or has no place."""
    expected = {name: blank for name, blank in network.state_dict().items() if not name.startswith(tuple(fresh))}
    for name, blank in expected.items():
        found = trained.tensors.get(name)
        described = "missing" if found is None else describe(found)
        if described != describe(blank):
            reads_classes = name.startswith(reading_classes(network) or "/")
            remedy = _REMEDY if reads_classes and found is not None and _reads_other_channels(found, blank) else ""
            raise CheckpointError(
                f"{trained.file}: tensor {trained.spoken_name(name)} is {described}, this configuration has "
                f"{describe(blank)}{remedy}"
            )
    for name in trained.tensors:
        if name not in expected and not name.startswith(tuple(fresh)):
            raise CheckpointError(f"{trained.file}: tensor {name} has no place in this configuration")
    _require_same_settings(network, trained, _UNSEEN)


def _reads_other_channels(found: Tensor, blank: Tensor) -> bool:
    """Whether two convolutions' weights differ in nothing but the number of channels that they read."""
    return found.shape[:1] == blank.shape[:1] and found.shape[2:] == blank.shape[2:]


def _require_same_classes(networks: Networks, trained: TrainedNetwork) -> None:
    _require_same_settings(networks.generator, trained, _FORM, remedy=_REMEDY)


def _require_same_settings(
    network: nn.Module, trained: TrainedNetwork, names: Collection[str], *, remedy: str = ""
) -> None:
    """Where the file tells how its generator is set."""
    ours, theirs = getattr(network, "config", None), trained.config
    if not isinstance(ours, GeneratorConfig | Pix2PixHDConfig) or type(theirs) is not type(ours):
        return
    for name in names:
        their_value, our_value = getattr(theirs, name, None), getattr(ours, name, None)
        if their_value != our_value:
            raise CheckpointError(
                f"{trained.file}: its generator has {name} {their_value}, this configuration has {our_value}{remedy}"
            )


def _begin(name: str, network: nn.Module, trained: TrainedNetwork | None, fresh: Collection[str]) -> str:
    """Gives the network its weights; returns a line that says what it begins with."""
    if trained is None:
        return f"{name}: starts fresh, for there are no weights of one"
    own = network.state_dict()
    network.load_state_dict({one: own[one] if one.startswith(tuple(fresh)) else trained.tensors[one] for one in own})
    anew = f"; {len(fresh)} layers that read the classes start fresh" if fresh else ""
    return f"{name}: starts from {trained.file}{anew}"
