"""TorchServe as the engine: one request for each picture, all of a batch at once; TorchServe puts them together.

Needs no torch.
"""

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from typing import Final

import httpx
import numpy as np
from numpy.typing import NDArray

from model_store.errors import UnknownModelError
from model_store.torchserve.wire import (
    CONTENT_TYPE,
    PictureRequest,
    decode_error,
    decode_picture,
    encode_request,
)
from spade.errors import ConfigError, OutOfMemoryError, SpadeError
from workers.errors import EngineFailedError, EngineUnavailableError
from workers.inputs import Inputs
from workers.torchserve_keys import TorchServeKey
from workers.torchserve_settings import TorchServeSettings

_CONNECT_SECONDS: Final = 5.0
_REFUSED_KEY: Final = "InvalidKeyException"
_TELLING: Final = (OutOfMemoryError, ConfigError, SpadeError, EngineFailedError, EngineUnavailableError)
"""What requests of a batch may end with; the first of these stands for the batch."""


class TorchServeEngine:
    """An `Engine` that has TorchServe compute. Of its batches `at_once` pictures are asked for at the same time."""

    def __init__(self, settings: TorchServeSettings, *, at_once: int) -> None:
        self._settings = settings
        self._key = TorchServeKey(settings.key_file, "inference")
        self._client = httpx.Client(
            base_url=settings.url,
            timeout=httpx.Timeout(settings.timeout_seconds, connect=_CONNECT_SECONDS),
            limits=httpx.Limits(max_connections=at_once, max_keepalive_connections=at_once),
            trust_env=False,  # a proxy that is set for something else
        )
        self._threads = ThreadPoolExecutor(at_once, "torchserve")
        self._missed: dict[str, tuple[float, float]] = {}  # when a model was missed first and last
        self._lock = threading.Lock()

    def close(self) -> None:
        """End its connections and threads."""
        self._threads.shutdown()
        self._client.close()

    def device(self) -> str:
        """TorchServe gives each of its backends one."""
        return "of TorchServe"

    def load(self, model: str, version: str) -> None:
        """TorchServe has loaded it, or will have when it is needed."""

    def ping(self) -> None:
        """Raise `EngineUnavailableError` unless TorchServe answers. What it says of its health is of all its models."""
        try:
            self._with_key(lambda headers: self._client.get("/ping", headers=headers, timeout=_CONNECT_SECONDS))
        except httpx.TransportError as error:
            raise self._away(error) from error

    def synthesize(self, inputs: Inputs) -> NDArray[np.uint8]:
        """As `Engine` says. Raises `EngineFailedError` where TorchServe broke off."""
        reference = f"{inputs.batch.model}@{inputs.batch.model_version}"
        asked = [self._threads.submit(self._picture, reference, request) for request in _requests(inputs)]
        errors = [error for future in asked if (error := future.exception()) is not None]
        if errors:
            raise min(errors, key=_rank)
        self._missed.pop(reference, None)
        return np.stack([future.result() for future in asked])

    def _picture(self, reference: str, request: PictureRequest) -> NDArray[np.uint8]:
        path, body = f"/predictions/{reference}", encode_request(request)
        try:
            response = self._with_key(lambda headers: self._client.post(path, content=body, headers=headers))
        except httpx.ReadTimeout as error:
            self.ping()  # one that hangs is away, and no picture is to blame
            raise EngineFailedError(
                f"TorchServe has made no picture within {self._settings.timeout_seconds:g} s"
            ) from error
        except httpx.TransportError as error:
            raise self._away(error) from error
        if response.status_code == HTTPStatus.OK:
            try:
                return decode_picture(response.content, *request.label_map.shape)
            except ValueError as error:
                raise EngineFailedError(f"TorchServe's answer is no picture of the size asked for: {error}") from error
        if response.status_code == HTTPStatus.NOT_FOUND:
            raise self._missing(reference)
        raise _error_of(response)

    def _with_key(self, ask: Callable[[dict[str, str]], httpx.Response]) -> httpx.Response:
        """Ask with the key, and with a newer one where TorchServe was started again."""
        key = self._key.header()
        response = ask(_headers(key))
        if _refuses_key(response):
            response = ask(_headers(self._key.header(refused=key)))
        if _refuses_key(response):
            raise EngineUnavailableError(f"TorchServe at {self._settings.url} refuses every key in its file of keys")
        return response

    def _away(self, error: httpx.TransportError) -> EngineUnavailableError:
        return EngineUnavailableError(
            f"TorchServe at {self._settings.url} does not answer: {type(error).__name__}: {error}"
        )

    def _missing(self, reference: str) -> Exception:
        """A model that was added just now is waited for; one that does not come is an error of the model.

        A wait counts from the first miss of a row without long gaps, and begins anew once it was given up.
        """
        now, patience = time.monotonic(), self._settings.missing_seconds
        with self._lock:
            first, last = self._missed.get(reference, (now, now))
            if now - last > patience:
                first = now
            is_over = now - first >= patience
            if is_over:
                self._missed.pop(reference, None)
            else:
                self._missed[reference] = (first, now)
        what = (
            f"TorchServe at {self._settings.url} has no model {reference}; "
            f"`spade-serve torchserve register {reference}` adds it"
        )
        return UnknownModelError(what) if is_over else EngineUnavailableError(what)


def _requests(inputs: Inputs) -> list[PictureRequest]:
    requests = []
    for item, label_map, instance_map in zip(inputs.items, inputs.label_maps, inputs.instance_maps, strict=True):
        style = item.style
        picture_key = None if style is None else style.picture_key
        requests.append(
            PictureRequest(
                label_map=label_map,
                instance_map=None if np.array_equal(label_map, instance_map) else instance_map,
                seed=item.seed,
                style=None if style is None else style.chosen,
                style_picture=None if picture_key is None else inputs.style_pictures[picture_key],
                weights_sha256=inputs.batch.weights_digest,
            )
        )
    return requests


def _headers(key: str) -> dict[str, str]:
    return {"Authorization": key, "Content-Type": CONTENT_TYPE}


def _refuses_key(response: httpx.Response) -> bool:
    return response.status_code == HTTPStatus.BAD_REQUEST and _REFUSED_KEY in response.text


def _error_of(response: httpx.Response) -> Exception:
    """What an answer without a picture means for the batch."""
    told = decode_error(response.content)
    if told is not None:
        kind, detail = told
        return EngineFailedError(detail) if kind is None else kind(detail)
    what = f"TorchServe answered {response.status_code}: {' '.join(response.text.split())}"
    match response.status_code:
        # 507 without a word of ours: TorchServe itself had no room for the request just now.
        case HTTPStatus.SERVICE_UNAVAILABLE | HTTPStatus.TOO_MANY_REQUESTS | HTTPStatus.INSUFFICIENT_STORAGE:
            return EngineUnavailableError(what)
        case HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
            return ConfigError(what)
    return EngineFailedError(what)


def _rank(error: BaseException) -> int:
    return next((place for place, kind in enumerate(_TELLING) if isinstance(error, kind)), len(_TELLING))
