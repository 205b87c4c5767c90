"""Everything that decides what a training run computes."""

from dataclasses import dataclass, field

from spade.config import EncoderConfig, GeneratorConfig
from spade.data.config import DatasetConfig
from spade.device import DEVICES
from spade.discriminator import DiscriminatorConfig
from spade.errors import ConfigError
from spade.pix2pixhd import Pix2PixHDConfig
from spade.semantics_form import PICTURE_CHANNELS, SemanticsForm
from spade.synthesis import MAX_SEED
from spade.training.networks import InitConfig
from spade.training.objective import LossConfig
from spade.training.optimizers import OptimizerConfig, ScheduleConfig
from spade.training.start_config import StartConfig
from spade.training.step import StepConfig
from spade.training.validation_config import ValidationConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class EmaConfig:
    """The average of the generator's weights over time, whose pictures are usually the better ones.

    Raises ConfigError: where a value is out of range.
    """

    decay: float = 0.999
    """Share of the average that a step leaves as it is; 0 keeps no average."""
    estimation_batches: int = 30
    """Batches of a process from which the average's own batch statistics are estimated whenever it is used."""

    def __post_init__(self) -> None:
        if not 0 <= self.decay < 1:
            raise ConfigError(f"ema: decay is {self.decay}; it must be from 0 to below 1")
        if self.estimation_batches < 1:
            raise ConfigError(f"ema: estimation_batches is {self.estimation_batches}; it must be at least 1")


@dataclass(frozen=True, slots=True, kw_only=True)
class IntervalConfig:
    """How often something is written, in pictures of all processes together.

    Raises ConfigError: where a number is below 1.
    """

    log: int = 100
    """Between two lines of metrics, each the mean since the last."""
    checkpoint: int = 5000
    keep_checkpoints: int = 3
    """How many checkpoints are kept, the last ones."""
    keep_epochs: int | None = None
    """After every so many epochs the state is kept for good, as epoch-<number>.pt. The published code keeps every tenth
    epoch's weights; here that is asked for, because a state with its optimizers and average is four times as large."""
    sample: int = 5000
    sample_pictures: int = 4
    """Rows of a sample sheet."""

    def __post_init__(self) -> None:
        for name in ("log", "checkpoint", "keep_checkpoints", "keep_epochs", "sample", "sample_pictures"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ConfigError(f"intervals: {name} is {value}; it must be at least 1")


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingConfig:
    """A whole run. `spade.training.presets` makes it from the few things that a user says.

    Raises ConfigError: where its parts do not fit together.
    """

    batch_size: int = 1
    """Pictures that one step learns from, over all processes and micro-batches: pictures of one micro-batch of one
    process x processes x accumulation. So a configuration means the same on any number of processes."""
    accumulation: int = 1
    """Micro-batches of a process in a step. Batch statistics are those of a micro-batch, all else is as without."""
    recomputation: bool = False
    """Whether blocks of the generator keep no activations but compute them again: less memory, a third more time."""
    seed: int = 0
    """Settles first weights, order of samples, crops and noise."""
    device: str = "auto"
    workers: int = 2
    """Processes that read samples ahead, for each training process; 0 reads in the training process itself."""
    shuffle: bool = True
    """Whether every epoch has an order of its own; if not, samples come in the order of their files."""
    vgg19: str | None = None
    """File of torchvision's VGG19 weights for the perceptual loss, which is left out where there is none."""
    dataset: DatasetConfig
    generator: GeneratorConfig
    """Of a pix2pixHD generator too: what it reads and the size of its pictures."""
    discriminator: DiscriminatorConfig
    encoder: EncoderConfig | None = None
    """Makes it a VAE."""
    pix2pixhd: Pix2PixHDConfig | None = None
    """Trains this generator, the paper's baseline, instead of SPADE's."""
    start: StartConfig | None = None
    """Trained weights to begin with, instead of drawn ones."""
    init: InitConfig = field(default_factory=InitConfig)
    losses: LossConfig = field(default_factory=LossConfig)
    optimizer: OptimizerConfig = field(default_factory=OptimizerConfig)
    schedule: ScheduleConfig = field(default_factory=ScheduleConfig)
    step: StepConfig = field(default_factory=StepConfig)
    ema: EmaConfig = field(default_factory=EmaConfig)
    intervals: IntervalConfig = field(default_factory=IntervalConfig)
    validation: ValidationConfig | None = None
    """How the run is held against validation samples while it goes on; None: not at all."""

    def __post_init__(self) -> None:
        for name, least in (("batch_size", 1), ("accumulation", 1), ("seed", 0), ("workers", 0)):
            if getattr(self, name) < least:
                raise ConfigError(f"{name} is {getattr(self, name)}; it must be at least {least}")
        if self.seed > MAX_SEED:
            raise ConfigError(f"seed is {self.seed}; it must be at most {MAX_SEED}")
        if self.device not in DEVICES:
            raise ConfigError(f"device is {self.device!r}; it must be one of {', '.join(DEVICES)}")
        self._check_generator()
        self._check_encoder()
        if self.pix2pixhd is not None:
            self._check_pix2pixhd(self.pix2pixhd)

    def micro_batch_size(self, processes: int) -> int:
        """Pictures of one micro-batch of one of `processes`.

        Raises ConfigError: where the batch cannot be divided so.
        """
        parts = processes * self.accumulation
        if self.batch_size % parts:
            raise ConfigError(
                f"batch_size is {self.batch_size}; with {processes} processes and accumulation {self.accumulation} it "
                f"must be a multiple of {parts}"
            )
        return self.batch_size // parts

    def _check_generator(self) -> None:
        generator = self.generator
        self._check_form("generator", generator)
        if generator.output_channels != PICTURE_CHANNELS:
            raise ConfigError(f"generator: output_channels is {generator.output_channels}; pictures of datasets have 3")
        if self.dataset.size not in (None, (generator.height, generator.width)):
            height, width = self.dataset.size or (0, 0)
            raise ConfigError(
                f"generator: its size is {generator.width}x{generator.height}, but the dataset gives {width}x{height}; "
                "leave height and width out, they follow from the dataset"
            )
        channels = generator.semantic_channels + PICTURE_CHANNELS
        if self.discriminator.in_channels != channels:
            raise ConfigError(
                f"discriminator: in_channels is {self.discriminator.in_channels}; "
                f"semantics and pictures have {channels} together"
            )

    def _check_form(self, section: str, form: SemanticsForm) -> None:
        for name in ("label_nc", "dont_care", "instance_edges"):
            ours, theirs = getattr(form, name), getattr(self.dataset, name)
            if ours != theirs:
                raise ConfigError(f"{section}: {name} is {ours}, but dataset: {name} is {theirs}; they must be equal")

    def _check_encoder(self) -> None:
        latent = self.generator.latent_dim
        if latent != (self.encoder and self.encoder.latent_dim):
            encoder = "there is no encoder" if self.encoder is None else f"the encoder's is {self.encoder.latent_dim}"
            raise ConfigError(f"generator: latent_dim is {latent}, but {encoder}; a VAE needs both, and equal")

    def _check_pix2pixhd(self, config: Pix2PixHDConfig) -> None:
        self._check_form("pix2pixhd", config)
        if self.encoder is not None:
            raise ConfigError("pix2pixhd: this generator has no latent; leave the encoder out")
        if self.generator.output_multiplier != 1:
            raise ConfigError("pix2pixhd: this generator has no output_multiplier; leave it out of the generator")
        if self.recomputation:
            raise ConfigError("recomputation: a pix2pixHD generator has none; it is of SPADE's blocks")
