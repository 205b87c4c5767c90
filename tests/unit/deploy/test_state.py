"""The state folder: remembered ports and credentials, and its lock."""

import json
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.errors import PortTakenError, StateError
from deploy.local.ports import free_port, is_free
from deploy.local.state import StackConfig, StateFolder


@pytest.fixture
def state(tmp_path: Path) -> StateFolder:
    (tmp_path / "state").mkdir()
    return StateFolder(tmp_path / "state")


@pytest.fixture
def taken_port() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def test_the_next_start_has_the_same_ports_and_credentials(state: StateFolder) -> None:
    first = state.configure(port=None, workers=2)
    assert state.configure(port=None, workers=2) == first
    assert state.read_config() == first


def test_each_part_has_a_port_of_its_own(state: StateFolder) -> None:
    config = state.configure(port=None, workers=3)
    ports = [config.api_port, config.redis_port, config.s3_port, *config.worker_ports]
    assert len(set(ports)) == 6
    assert all(is_free(port) for port in ports)


def test_two_states_share_no_credentials(tmp_path: Path) -> None:
    configs = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        configs.append(StateFolder(tmp_path / name).configure(port=None, workers=1))
    one, two = configs
    assert one.redis_password != two.redis_password
    assert (one.s3_access_key, one.s3_secret_key) != (two.s3_access_key, two.s3_secret_key)
    assert len(one.s3_access_key) == 20
    assert len(one.s3_secret_key) == 40


def test_a_remembered_port_that_is_taken_now_is_replaced_and_the_credentials_stay(
    state: StateFolder, taken_port: int
) -> None:
    old = state.configure(port=None, workers=1)
    values = {**json.loads(old.to_json()), "redis_port": taken_port}
    (state.path / "stack.json").write_text(json.dumps(values))
    new = state.configure(port=None, workers=1)
    assert new.redis_port != taken_port
    assert (new.api_port, new.redis_password) == (old.api_port, old.redis_password)


def test_a_port_that_is_asked_for_and_taken_is_an_error(state: StateFolder, taken_port: int) -> None:
    with pytest.raises(PortTakenError, match=f"port {taken_port} is in use; choose another with --port"):
        state.configure(port=taken_port, workers=1)


def test_a_port_that_is_asked_for_is_used(state: StateFolder) -> None:
    port = free_port()
    assert state.configure(port=port, workers=1).url == f"http://127.0.0.1:{port}"


def test_only_the_owner_can_read_the_credentials(state: StateFolder) -> None:
    state.configure(port=None, workers=1)
    assert (state.path / "stack.json").stat().st_mode & 0o777 == 0o600


def test_credentials_do_not_appear_when_a_configuration_is_printed(state: StateFolder) -> None:
    config = state.configure(port=None, workers=1)
    assert config.redis_password not in repr(config)
    assert config.s3_secret_key not in repr(config)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"api_port": 1}', '{"surprise": 1, "worker_ports": []}'])
def test_a_damaged_configuration_is_named_rather_than_replaced(state: StateFolder, text: str) -> None:
    (state.path / "stack.json").write_text(text)
    with pytest.raises(StateError, match=r"stack\.json cannot be read .* delete the whole folder to start afresh"):
        state.configure(port=None, workers=1)
    assert (state.path / "stack.json").read_text() == text


def test_a_second_lock_is_refused_and_names_the_holder(tmp_path: Path) -> None:
    state = StateFolder(tmp_path / "state")
    with state.locked():
        state.note_holder(4711, "http://127.0.0.1:8080")
        with (
            pytest.raises(StateError, match=r"already running on .*: process 4711, http://127\.0\.0\.1:8080;"),
            StateFolder(tmp_path / "state").locked(),
        ):
            pytest.fail("locked twice")
    with StateFolder(tmp_path / "state").locked():
        assert (tmp_path / "state").stat().st_mode & 0o777 == 0o700


def test_what_lies_in_a_folder_that_others_may_read_is_kept_from_them(tmp_path: Path) -> None:
    state = StateFolder(tmp_path / "state")
    state.path.mkdir(mode=0o755)
    with state.locked():
        for folder in (state.redis, state.s3, state.metrics, state.logs):
            assert folder.stat().st_mode & 0o777 == 0o700


def test_a_state_folder_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(StateError, match=r"the state folder .*file/state cannot be used: Not a directory$"),
        StateFolder(tmp_path / "file" / "state").locked(),
    ):
        pytest.fail("locked")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_state_folder_that_is_not_writable_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with (
        pytest.raises(StateError, match=r"cannot be used: Permission denied$"),
        StateFolder(tmp_path / "state").locked(),
    ):
        pytest.fail("locked")


def test_a_configuration_survives_its_json() -> None:
    config = StackConfig(
        api_port=1,
        redis_port=2,
        s3_port=3,
        worker_ports=(4, 5),
        redis_password="p",
        s3_access_key="a",
        s3_secret_key="s",
    )
    assert StackConfig.from_json(config.to_json()) == config


def test_a_configuration_of_a_version_without_webhooks_is_given_a_secret_for_ever(tmp_path: Path) -> None:
    folder = StateFolder(tmp_path / "state")
    with folder.locked():
        folder.configure(port=None, workers=1)
        file = folder.path / "stack.json"
        file.write_text(json.dumps({k: v for k, v in json.loads(file.read_text()).items() if k != "webhook_secret"}))
        secrets = {folder.configure(port=None, workers=1).webhook_secret for _ in range(2)}
    assert len(secrets) == 1
    assert secrets.pop().startswith("whsec_")
