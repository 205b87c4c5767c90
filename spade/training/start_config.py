"""Which trained weights a run begins with."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class StartConfig:
    """Trained weights rather than drawn ones, for the first step only: a run that goes on has its own."""

    weights: str
    """A published latest_net_G.pth or its folder, a .safetensors file, a version of a model, a run's folder or one of
    its checkpoints. Discriminator and encoder are taken too, where they are there."""
    other_classes: bool = False
    """Whether the classes are others than those of the weights, so that the layers that read them start fresh."""
    digests: tuple[str, ...] = ()
    """sha256 and name of each file that was read, as sha256sum prints them. The run fills them in; where they are
    given, the files must have them."""
