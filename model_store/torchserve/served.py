"""What a backend of TorchServe does: one model in memory, and answers to batches of requests. Needs torch.

B batch, H W pixels.
"""

import logging
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from model_store.errors import WeightsError
from model_store.loading import load_synthesizer
from model_store.registry import Registry
from model_store.style_latents import StyleLatents
from model_store.torchserve.archive import MODELS_FOLDER
from model_store.torchserve.config import BackendConfig
from model_store.torchserve.wire import PictureRequest, decode_request, encode_error
from spade.cpus import usable_cpus
from spade.engine.config import EngineConfig
from spade.errors import OutOfMemoryError, SpadeError

_log = logging.getLogger(__name__)


class Context(Protocol):
    """What is used of the context that TorchServe gives to handlers."""

    system_properties: dict[str, Any]
    model_yaml_config: dict[str, Any]

    def set_response_status(self, code: int, phrase: str, idx: int) -> None: ...
    def set_response_header(self, idx: int, key: str, value: str) -> None: ...
    def set_response_content_type(self, idx: int, value: str) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """To one request."""

    status: int
    body: bytes


class ServedModel:
    """The one model in an unpacked archive, `folder`.

    Raises SpadeError: where it cannot be loaded.
    """

    def __init__(self, folder: Path, config: BackendConfig, *, gpu: int | None) -> None:
        """`gpu` is the number of the one that TorchServe has given to this backend."""
        registry = Registry(folder / MODELS_FOLDER, built_in=None)
        for error in registry.unusable():
            raise error
        (self._card,) = registry.cards()
        if gpu is not None and config.device in ("auto", "cuda"):
            torch.cuda.set_device(gpu)
        torch.set_num_threads(config.threads or usable_cpus())
        engine = EngineConfig(precision=config.precision, compile=config.compile, cache_bytes=config.cache_bytes)
        self._synthesizer = load_synthesizer(registry, self._card, device=config.device, engine=engine)
        self._styles = StyleLatents(registry)

    def answer(self, bodies: Sequence[object]) -> list[Answer]:
        """An answer for each request; those of one size are computed together.

        A request that cannot be met takes no other with it, unless memory was too small for all of them.
        """
        answers: dict[int, Answer] = {}
        groups: dict[tuple[int, ...], dict[int, PictureRequest]] = defaultdict(dict)
        for place, body in enumerate(bodies):
            try:
                request = decode_request(body)
                self._require_weights(request.weights_sha256)
            except SpadeError as error:
                answers[place] = _refusal(error)
            else:
                groups[request.label_map.shape][place] = request
        for group in groups.values():
            answers |= dict(zip(group, self._answer_group(list(group.values())), strict=True))
        return [answers[place] for place in range(len(bodies))]

    def _require_weights(self, asked: str | None) -> None:
        card = self._card
        if asked not in (None, card.weights.sha256):
            raise WeightsError(
                f"TorchServe has model {card.reference} with weights of sha256 {card.weights.sha256}, the job is for "
                f"{asked}: submit it again if the model was replaced since; if TorchServe has the model of before, "
                f"`spade-serve torchserve unregister {card.reference}` removes it, and `register` adds the new one"
            )

    def _answer_group(self, requests: list[PictureRequest]) -> list[Answer]:
        try:
            pictures = self._pictures(requests)
        except OutOfMemoryError as error:
            return [_refusal(error)] * len(requests)
        except Exception as error:  # TorchServe would answer with the status that an overload has
            if len(requests) > 1:
                return [answer for request in requests for answer in self._answer_group([request])]
            if not isinstance(error, SpadeError):
                _log.exception("request not met")
            return [_refusal(error)]
        return [Answer(status=HTTPStatus.OK, body=picture.tobytes()) for picture in pictures]

    def _pictures(self, requests: Sequence[PictureRequest]) -> NDArray[np.uint8]:
        """RGB (B, H, W, 3), uint8."""
        style_pictures = {
            one.style.picture: one.style_picture
            for one in requests
            if one.style is not None and one.style.picture is not None and one.style_picture is not None
        }
        latents = self._styles.latents(self._card, [one.style for one in requests], style_pictures)
        instances = [one.label_map if one.instance_map is None else one.instance_map for one in requests]
        labels = np.stack([one.label_map for one in requests])
        return self._synthesizer.synthesize(labels, np.stack(instances), [one.seed for one in requests], latents)


def _refusal(error: Exception) -> Answer:
    status, body = encode_error(error)
    return Answer(status=status, body=body)
