"""The model that the jobs of a batch were accepted for, and no other that has taken its place since."""

from model_store.card import ModelCard
from model_store.registry import Registry
from spade.errors import SpadeError
from workers.messages import Batch


class ReplacedModelError(SpadeError):
    """A version was removed, and another was added under the same number."""

    def __init__(self, card: ModelCard, accepted: str) -> None:
        super().__init__(
            f"model {card.reference} was replaced since the job was submitted: its weights had sha256 {accepted}, "
            f"now {card.weights.sha256}; submit the job again"
        )


def accepted_card(registry: Registry, batch: Batch) -> ModelCard:
    """The card of the batch's model.

    Raises UnknownModelError, UnusableModelError: as `Registry.card` does. ReplacedModelError: where its weights are not
    those that the jobs were accepted for.
    """
    card = registry.card(batch.model, batch.model_version)
    if card.weights.sha256 != batch.weights_digest:
        raise ReplacedModelError(card, batch.weights_digest)
    return card
