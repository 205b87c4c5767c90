"""A model whose pictures are judged."""

from dataclasses import dataclass

from spade.encoder import ImageEncoder
from spade.evaluation.judges import Pairs
from spade.synthesis import Synthesizer


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedModel:
    """What makes the pictures, and what it is called."""

    reference: str
    sha256: str
    synthesizer: Synthesizer
    encoder: ImageEncoder | None = None
    """What reads the style of a photograph, on the CPU; None where the model has none."""
    class_names: tuple[str, ...] = ()
    """In the order of the ids, where they are known."""

    @property
    def pairs(self) -> frozenset[Pairs]:
        """Which pictures of one label map can be compared besides those with the photographs."""
        restyled = {Pairs.DIVERSITY} if self.synthesizer.config.latent_dim is not None else set()
        reconstructed = {Pairs.RECONSTRUCTION} if self.encoder is not None else set()
        return frozenset(restyled | reconstructed)
