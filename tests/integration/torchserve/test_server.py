"""Who may talk to TorchServe, where it listens, what it tells, and what it does with models that come and go."""

import json
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import httpx
import numpy as np
import psutil
import pytest

from deploy.errors import StateError, TorchServeError
from deploy.local.child import Child
from deploy.torchserve.management import TorchServeManagement
from deploy.torchserve.server import TorchServe, TorchServePorts
from model_store.card import ModelCard
from model_store.errors import UnknownModelError
from support.engine_inputs import inputs_of, label_maps
from workers.errors import EngineFailedError, EngineUnavailableError
from workers.torchserve_engine import TorchServeEngine
from workers.torchserve_keys import TorchServeKey
from workers.torchserve_settings import TorchServeSettings


def key_file_with(tmp_path: Path, key: str) -> Path:
    path = tmp_path / "key_file.json"
    path.write_text(json.dumps({name: {"key": key} for name in ("inference", "management")}))
    return path


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer wrong"}])
def test_a_request_without_the_right_key_is_refused(
    server: TorchServe, landscape: ModelCard, headers: dict[str, str]
) -> None:
    url = f"{server.url}/predictions/{landscape.reference}"
    answer = httpx.post(url, content=b"", headers=headers, trust_env=False)
    assert answer.status_code == 400
    assert answer.json()["type"] == "InvalidKeyException"


def test_a_worker_with_a_wrong_key_waits_for_a_better_one(
    server: TorchServe, reader_card: ModelCard, tmp_path: Path
) -> None:
    key_file = key_file_with(tmp_path, "wrong")
    inputs = inputs_of(reader_card, label_maps(reader_card, 2))
    with closing(TorchServeEngine(TorchServeSettings(url=server.url, key_file=key_file), at_once=2)) as engine:
        with pytest.raises(EngineUnavailableError, match=f"refuses the inference key in {key_file}"):
            engine.synthesize(inputs)
        key_file.write_text(server.key_file.read_text())
        assert engine.synthesize(inputs).shape == (2, 64, 64, 3)


def test_models_are_not_managed_with_a_wrong_key(server: TorchServe, tmp_path: Path) -> None:
    with (
        TorchServeManagement(server.management_url, key_file_with(tmp_path, "wrong")) as management,
        pytest.raises(TorchServeError, match=r"refused GET /models: Token Authorization failed"),
    ):
        management.models()


def test_it_listens_on_this_machine_only_and_its_keys_are_its_owners(server: TorchServe, child: Child) -> None:
    processes = [psutil.Process(child.pid), *psutil.Process(child.pid).children(recursive=True)]
    listening = {
        connection.laddr.ip.removeprefix("::ffff:")
        for process in processes
        for connection in process.net_connections("inet")
        if connection.status == psutil.CONN_LISTEN
    }
    assert listening == {"127.0.0.1"}
    assert server.key_file.stat().st_mode & 0o077 == 0
    assert server.folder.stat().st_mode & 0o077 == 0


def test_its_metrics_are_there_for_prometheus(
    server: TorchServe, engine: TorchServeEngine, reader_card: ModelCard
) -> None:
    engine.synthesize(inputs_of(reader_card, label_maps(reader_card, 1)))
    metrics = httpx.get(f"http://127.0.0.1:{server.ports.metrics}/metrics", trust_env=False).text
    assert 'ts_inference_requests_total{model_name="reader@1"' in metrics


def test_a_model_that_is_unregistered_is_missed_and_serves_again_when_it_is_back(
    server: TorchServe,
    management: TorchServeManagement,
    reader_card: ModelCard,
    register_reader: Callable[[], None],
    engine: TorchServeEngine,
) -> None:
    inputs = inputs_of(reader_card, label_maps(reader_card, 2))
    before = engine.synthesize(inputs)
    management.unregister("reader@1")
    assert "reader@1" not in management.models()
    with pytest.raises(EngineUnavailableError, match=r"has no model reader@1; `spade-serve torchserve register"):
        engine.synthesize(inputs)
    settings = TorchServeSettings(url=server.url, key_file=server.key_file, missing_seconds=0.0)
    with (
        closing(TorchServeEngine(settings, at_once=2)) as impatient,
        pytest.raises(UnknownModelError, match="`spade-serve torchserve register reader@1` adds it"),
    ):
        impatient.synthesize(inputs)
    register_reader()
    assert np.array_equal(engine.synthesize(inputs), before)


def test_a_model_without_a_backend_is_away_until_it_has_one(
    server: TorchServe, engine: TorchServeEngine, reader_card: ModelCard
) -> None:
    inputs = inputs_of(reader_card, label_maps(reader_card, 1))
    headers = {"Authorization": TorchServeKey(server.key_file, "management").header()}

    def scale(backends: int) -> None:
        parameters = {"min_worker": backends, "max_worker": backends, "synchronous": "true"}
        url = f"{server.management_url}/models/reader@1"
        httpx.put(url, params=parameters, headers=headers, timeout=60, trust_env=False).raise_for_status()

    scale(0)
    engine.ping()
    with pytest.raises(EngineUnavailableError, match=r"answered 503: .* has no worker to serve"):
        engine.synthesize(inputs)
    scale(1)
    assert engine.synthesize(inputs).shape == (1, 64, 64, 3)


def test_a_picture_that_is_not_there_in_time_is_a_failure(server: TorchServe, landscape: ModelCard) -> None:
    hasty = TorchServeSettings(url=server.url, key_file=server.key_file, timeout_seconds=0.2)
    inputs = inputs_of(landscape, label_maps(landscape, 1))  # the batch waits a second for more
    with (
        closing(TorchServeEngine(hasty, at_once=1)) as engine,
        pytest.raises(EngineFailedError, match=r"no picture within 0\.2 s"),
    ):
        engine.synthesize(inputs)


def test_registering_a_model_twice_is_an_error_that_says_so(register_reader: Callable[[], None]) -> None:
    with pytest.raises(TorchServeError, match="already registered for model reader@1"):
        register_reader()


def test_a_folder_whose_name_is_too_long_for_sockets_is_refused(tmp_path: Path) -> None:
    server = TorchServe(folder=tmp_path / ("x" * 90), ports=TorchServePorts.free())
    with pytest.raises(StateError, match="too long a name for TorchServe"):
        server.prepare()
