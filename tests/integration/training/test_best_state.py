"""The best state of a run and its looks stay true to one another, whatever comes between them."""

import errno
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner, Result

from deploy.cluster.finished import is_finished
from model_store.cli import spade as commands
from spade.data.errors import DatasetError
from spade.training.finished import read_trained_run
from spade.training.listeners import Look
from spade.training.metrics_log import MetricsLog, read_metrics
from spade.training.presets import complete_config
from spade.training.toml_files import read_toml
from spade.training.validation import Validation
from support.checkpoints import differences, state_of
from support.refusals import refusal
from support.segmenters import save_untrained_segmenter

Spade = Callable[..., Result]
DIVERGING = ("--epochs", 4, "--set", "optimizer.learning_rate=1e25", "--set", "intervals.checkpoint=100")


@pytest.fixture(scope="module")
def validated(short_config: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of four steps with a look and a checkpoint after the third, and at the end."""
    folder = tmp_path_factory.mktemp("validated")
    judge = save_untrained_segmenter(folder / "judge.safetensors", classes=4)
    path = folder / "validated.toml"
    path.write_text(f'{short_config.read_text()}[validation]\nsegmenter = "{judge}"\ninterval = 6\nsamples = 2\n')
    return path


@pytest.fixture(scope="module")
def validated_run(validated: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run") / "run"
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    with pytest.MonkeyPatch.context() as patch:
        let_looks_come_to(patch, 5.0, 9.0)
        result = CliRunner().invoke(commands, ["train", "--config", str(validated), "-o", str(folder)])
    torch.set_num_threads(threads)
    assert result.exit_code == 0, result.output
    return folder


@pytest.fixture
def run(validated_run: Path, tmp_path: Path) -> Path:
    """A run whose first look, after step 3, was the best, and whose last one, after step 4, was not."""
    return Path(shutil.copytree(validated_run, tmp_path / "run"))


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    return lambda *outcomes: let_looks_come_to(monkeypatch, *outcomes)


def let_looks_come_to(patch: pytest.MonkeyPatch, *outcomes: float | Exception) -> None:
    """The next looks come to these distances or errors, and there must be no more of them."""
    left: Iterator[float | Exception] = iter(outcomes)

    def look(*_: object) -> dict[str, float]:
        outcome = next(left)
        if isinstance(outcome, Exception):
            raise outcome
        return {"fid_segmenter": outcome}

    patch.setattr(Validation, "look", look)


def lines(run: Path) -> list[tuple[int, bool]]:
    return [(look["step"], look["best"]) for look in read_metrics(run / "validation.jsonl")]


def known_for(run: Path) -> str:
    return Path(read_trained_run(str(run), {}).place).name


def test_a_run_goes_on_from_its_best_state_which_stays(
    spade: Spade, validated: Path, run: Path, looks: Callable[..., None]
) -> None:
    best = run / "checkpoints" / "best.pt"
    before = {path.name: path.read_bytes() for path in best.parent.glob("*.pt")}
    command = ("train", "--config", validated, "-o", run, "--resume", best)

    line = refusal(spade(*command, *DIVERGING, "--set", "validation.interval=100"), exit_code=1)
    assert f"the last good checkpoint is {best}, from which --resume {best} goes on" in line
    assert {path.name: path.read_bytes() for path in best.parent.glob("*.pt")} == before

    looks(7.0)
    again = spade(*command)
    assert again.exit_code == 0, again.output
    assert lines(run) == [(3, True), (4, False)]
    assert best.read_bytes() == before["best.pt"]
    assert known_for(run) == "best.pt"


def test_an_attempt_that_fails_before_its_first_checkpoint_leaves_the_run_as_it_was(
    spade: Spade, short_config: Path, validated: Path, run: Path, looks: Callable[..., None], tmp_path: Path
) -> None:
    best = run / "checkpoints" / "best.pt"
    before = best.read_bytes()
    judge = save_untrained_segmenter(tmp_path / "judge.safetensors", classes=4, base_channels=3)
    strange = ("train", "--config", validated, "-o", run, "--set", f'validation.segmenter="{judge}"', *DIVERGING)

    plain = ("train", "--config", short_config, "-o", run, *DIVERGING)
    assert "training diverged" in refusal(spade(*plain), exit_code=1)
    assert "training diverged" in refusal(spade(*strange, "--set", "validation.interval=100"), exit_code=1)
    assert best.read_bytes() == before
    assert known_for(run) == "best.pt"

    looks(3.0)
    assert "training diverged" in refusal(spade(*strange, "--set", "validation.interval=8"), exit_code=1)
    assert best.read_bytes() != before
    assert known_for(run) == "step-000000004.pt", "what the other segmenter found best is not what this one did"

    looks(6.0)
    again = spade("train", "--config", validated, "-o", run)
    assert again.exit_code == 0, again.output
    assert lines(run) == [(3, True), (4, True)], "the best state is lost, so that the next one is the best"
    assert known_for(run) == "best.pt"


def test_looks_begin_anew_where_the_best_state_has_been_removed(
    spade: Spade, short_config: Path, validated: Path, run: Path, looks: Callable[..., None]
) -> None:
    best = run / "checkpoints" / "best.pt"
    best.unlink()
    assert spade("train", "--config", short_config, "-o", run).exit_code == 0
    assert "after step 3" in (run / "index.html").read_text()
    assert "in best.pt" not in (run / "index.html").read_text()
    looks(8.0)
    assert spade("train", "--config", validated, "-o", run).exit_code == 0
    assert lines(run) == [(3, True), (4, True)]
    assert "after step 4, in best.pt" in (run / "index.html").read_text()
    assert best.exists()


def test_a_damaged_best_state_says_that_the_last_one_can_stand_for_the_run(
    spade: Spade, run: Path, tmp_path: Path
) -> None:
    best = run / "checkpoints" / "best.pt"
    best.write_bytes(best.read_bytes()[:-500])
    line = refusal(spade("export", "run", run, "-o", tmp_path / "model.safetensors"), exit_code=1)
    assert line == (
        f"{best}: it is damaged or something else; "
        "remove it, and the last checkpoint stands for the run until a look is the best again"
    )


def test_a_finished_run_to_which_looks_are_added_is_looked_at_once(
    spade: Spade, finished_run: Path, validated: Path, looks: Callable[..., None], tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(finished_run, tmp_path / "run"))
    config = complete_config(read_toml(validated))
    assert not is_finished(config, str(folder / "checkpoints"), {})
    looks(5.0)
    for _ in range(2):
        result = spade("train", "--config", validated, "-o", folder)
        assert result.exit_code == 0, result.output
    assert lines(folder) == [(4, True)]
    assert state_of(folder)["standing"]["best"] == 5.0
    assert is_finished(config, str(folder / "checkpoints"), {})


def test_a_look_that_fails_costs_no_steps_and_is_made_again(
    spade: Spade, validated: Path, validated_run: Path, looks: Callable[..., None], tmp_path: Path
) -> None:
    folder = tmp_path / "run"
    command = ("train", "--config", validated, "-o", folder)
    looks(DatasetError("val_img/1.png: damaged"))
    assert refusal(spade(*command)) == "val_img/1.png: damaged"
    assert state_of(folder)["position"]["step"] == 3
    looks(5.0, 9.0)
    result = spade(*command)
    assert result.exit_code == 0, result.output
    assert lines(folder) == [(3, True), (4, False)]
    assert differences(state_of(validated_run), state_of(folder)) == []


def test_a_last_look_that_cannot_be_written_down_is_made_again(
    spade: Spade,
    validated: Path,
    validated_run: Path,
    looks: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    folder = tmp_path / "run"
    command = ("train", "--config", validated, "-o", folder)
    write = MetricsLog.validated

    def write_until_full(log: MetricsLog, look: Look) -> None:
        write(log, look)
        if look.step == 4:
            raise OSError(errno.ENOSPC, "No space left on device", "validation.jsonl")

    with monkeypatch.context() as full:
        full.setattr(MetricsLog, "validated", write_until_full)
        looks(5.0, 9.0)
        assert spade(*command).exit_code != 0
    assert state_of(folder)["position"]["step"] == 4
    assert not is_finished(complete_config(read_toml(validated)), str(folder / "checkpoints"), {})
    looks(9.0)
    result = spade(*command)
    assert result.exit_code == 0, result.output
    assert lines(folder) == [(3, True), (4, False)]
    assert differences(state_of(validated_run), state_of(folder)) == []
