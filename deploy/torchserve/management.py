"""TorchServe's management API: which models it has."""

from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import httpx

from deploy.errors import TorchServeAwayError, TorchServeError
from workers.errors import EngineUnavailableError
from workers.torchserve_keys import TorchServeKey

_ANSWER_SECONDS: Final = 10.0
_PAGE: Final = 100


class TorchServeManagement:
    """A client of it. Models go by `name@version`.

    Raises `TorchServeError` where it refuses, `TorchServeAwayError`, which is one, where it is away.
    """

    def __init__(self, url: str, key_file: Path) -> None:
        self._url = url
        self._key_file = key_file
        self._client = httpx.Client(base_url=url, timeout=_ANSWER_SECONDS, trust_env=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._client.close()

    def models(self) -> list[str]:
        """All that are registered, whether a backend has loaded them or not."""
        found: list[str] = []
        page: str | None = "0"
        while page is not None:
            answer = self._ask("GET", "/models", limit=str(_PAGE), next_page_token=page)
            found += [model["modelName"] for model in answer["models"]]
            page = answer.get("nextPageToken")
        return found

    def register(self, reference: str, archive: str, *, seconds: float) -> None:
        """Have it load `archive`, the name of a file in its model store; returns when a backend has done so."""
        self._ask(
            "POST",
            "/models",
            seconds=seconds,
            url=archive,
            model_name=reference,
            initial_workers="1",
            synchronous="true",
        )

    def unregister(self, reference: str) -> None:
        """Have it forget the model and end its backend."""
        self._ask("DELETE", f"/models/{reference}")

    def backend_pids(self, reference: str) -> list[int]:
        """Process ids of the model's backends that are ready."""
        (version,) = self._ask("GET", f"/models/{reference}/all")
        return [worker["pid"] for worker in version["workers"] if worker["status"] == "READY"]

    def _ask(self, method: str, path: str, *, seconds: float = _ANSWER_SECONDS, **parameters: str) -> Any:  # noqa: ANN401
        try:
            # Read each time: a few calls a minute, and it may have been started again.
            headers = {"Authorization": TorchServeKey(self._key_file, "management").header()}
            answer = self._client.request(method, path, params=parameters, headers=headers, timeout=seconds)
            values = None if answer.is_error else answer.json()
        except EngineUnavailableError as error:
            raise TorchServeAwayError(str(error)) from error
        except (httpx.HTTPError, ValueError) as error:
            raise TorchServeAwayError(
                f"TorchServe at {self._url} does not answer: {type(error).__name__}: {error}"
            ) from error
        if answer.is_error:
            raise TorchServeError(f"TorchServe refused {method} {path}: {_reason(answer)}")
        return values


def _reason(answer: httpx.Response) -> str:
    """Its message, or all that it says where that is not of TorchServe's form."""
    try:
        return str(answer.json()["message"])
    except (ValueError, KeyError, TypeError):
        return answer.text.strip() or answer.reason_phrase
