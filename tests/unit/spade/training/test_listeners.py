"""What a run tells: files, pages, lines and metrics."""

import errno
import io
import json
import re
import urllib.request
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image
from rich.console import Console

from deploy.local.ports import free_port
from spade.errors import ConfigError
from spade.training.config import TrainingConfig
from spade.training.curves import curve, number
from spade.training.listeners import Listener, Listeners, Look, Metrics, RunFacts
from spade.training.meter import senseless
from spade.training.metrics_log import MetricsLog, read_metrics
from spade.training.presets import complete_config
from spade.training.progress import ProgressReport, introduction
from spade.training.prometheus import TrainingMetrics
from spade.training.report import ReportPage
from spade.training.tensorboard import TensorBoard


def metrics(step: int, loss: float = 0.5) -> Metrics:
    return Metrics(
        time=1e9 + step,
        epoch=1,
        step=step,
        pictures=2 * step,
        seconds=3.0 * step,
        losses={"GAN": loss, "D_real": 1.25},
        learning_rates={"generator": 1e-4, "discriminator": 4e-4},
        images_per_second=2.5,
        step_seconds=0.8,
        memory_bytes=2**30,
    )


@pytest.fixture
def facts(tiny_config: TrainingConfig, tmp_path: Path) -> RunFacts:
    return RunFacts(
        config=tiny_config,
        folder=tmp_path,
        device="cpu",
        processes=2,
        samples=8,
        total_steps=200,
        resumed_from=None,
        start_step=0,
        start_pictures=0,
    )


def draw_sheet(folder: Path, step: int) -> Path:
    sheet = folder / "samples" / f"step-{step:09}.png"
    sheet.parent.mkdir(exist_ok=True)
    Image.new("RGB", (8, 4), "red").save(sheet)
    return sheet


def look(step: int) -> Look:
    distance = {"fid_segmenter": 7.5, "miou": 0.25}
    return Look(time=1000.0, epoch=1, step=step, pictures=2 * step, metrics=distance, best=True)


def play(listener: Listener, facts: RunFacts) -> None:
    listener.started(facts)
    for step in (1, 2):
        listener.stepped(2 * step, 0.8)
        listener.measured(metrics(step))
    listener.validated(look(2))
    listener.sampled(draw_sheet(facts.folder, 2))
    listener.saved("checkpoints/step-000000002.pt")
    listener.ended("finished")


def test_metrics_are_lines_of_json_without_numbers_that_json_lacks(facts: RunFacts, tmp_path: Path) -> None:
    log = MetricsLog(tmp_path)
    play(log, facts)
    log.measured(metrics(3, loss=float("nan")))
    lines = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [1, 2, 3]
    assert lines[0] == metrics(1).to_dict()
    assert lines[2]["losses"]["GAN"] is None


def test_a_run_that_goes_on_takes_out_the_lines_after_its_checkpoint(facts: RunFacts, tmp_path: Path) -> None:
    play(MetricsLog(tmp_path), facts)
    with (tmp_path / "metrics.jsonl").open("a") as file:
        file.write('{"step": 3, "los')  # where a kill hit
    again = MetricsLog(tmp_path)
    again.started(replace(facts, start_step=1))
    again.measured(metrics(2))
    assert [line["step"] for line in read_metrics(tmp_path / "metrics.jsonl")] == [1, 2]


def test_lines_that_a_power_cut_spoilt_are_passed_over(facts: RunFacts, tmp_path: Path) -> None:
    play(MetricsLog(tmp_path), facts)
    with (tmp_path / "metrics.jsonl").open("ab") as file:
        file.write(bytes(30) + b'\n{"step": 3,\n\xff\n\n{}\n[3]\n')
    assert [line["step"] for line in read_metrics(tmp_path / "metrics.jsonl")] == [1, 2]


def test_every_listener_is_told_of_the_end_though_one_cannot_write() -> None:
    class Full(Listener):
        def ended(self, how: str) -> None:
            raise OSError(errno.ENOSPC, how)

    told: list[str] = []

    class Last(Listener):
        def ended(self, how: str) -> None:
            told.append(how)

    with pytest.raises(OSError, match="finished"):
        Listeners([Full(), Last()]).ended("finished")
    assert told == ["finished"]


def test_the_page_holds_everything_and_loads_itself_again_only_while_the_run_goes_on(
    facts: RunFacts, tmp_path: Path
) -> None:
    page = ReportPage(tmp_path)
    page.started(facts)
    assert 'data-refresh="20"' in (tmp_path / "index.html").read_text()
    play(page, facts)
    text = (tmp_path / "index.html").read_text()
    assert "data-refresh=" not in text
    for said in (
        "finished",
        "step 2 of 200",
        "2.50 images/s",
        "1.00 GiB",
        "GAN: 0.5",
        "4 classes",
        "polyline",
        "after step 2",
    ):
        assert said in text, said
    assert re.findall(r'text-anchor="middle">([^<]+)<', text)[:2] == ["2", "2.5"]  # the scale of pictures
    assert "base_channels = 2" in text
    assert text.count("data:image/jpeg;base64,") == 1
    assert re.findall(r'(?:src|href)="(?!data:)', text) == []


def test_the_page_survives_losses_that_are_no_numbers(facts: RunFacts, tmp_path: Path) -> None:
    page = ReportPage(tmp_path)
    page.started(facts)
    page.measured(metrics(1, loss=float("nan")))
    page.ended("failed: diverged <here>")
    assert "diverged &lt;here&gt;" in (tmp_path / "index.html").read_text()


def test_without_a_terminal_progress_is_a_line_for_each_metrics(facts: RunFacts) -> None:
    written = io.StringIO()
    play(ProgressReport(Console(file=written, width=300)), facts)
    lines = written.getvalue().splitlines()
    assert lines[:2] == ["custom: 8 samples, 3 classes and unknown, 64x64", "50 epochs, 200 steps"]
    assert "2 processes" in lines[2]
    assert "no perceptual loss" in lines[2]
    assert any("step 2 pictures 4 2.50 images/s 1.00 GiB ETA 00:02:38 GAN 0.500 D_real 1.250" in line for line in lines)
    assert lines[-1] == "training finished"


def test_one_is_counted_as_one(facts: RunFacts) -> None:
    config = complete_config(
        {"dataset": {"mode": "custom", "root": "nowhere", "label_nc": 1}, "schedule": {"epochs": 1}}
    )
    lines = introduction(replace(facts, config=config, total_steps=1, processes=1))
    assert lines[:2] == ["custom: 8 samples, 1 class, 256x256", "1 epoch, 1 step"]
    assert "on 1 process (cpu)" in lines[2]


def test_the_reason_of_a_failure_is_left_to_the_command(facts: RunFacts) -> None:
    written = io.StringIO()
    report = ProgressReport(Console(file=written))
    report.started(facts)
    report.ended("failed: map.png: the file ends after 300 bytes")
    assert written.getvalue().splitlines()[-1] == "training failed"


def test_on_a_terminal_progress_is_a_bar(facts: RunFacts) -> None:
    written = io.StringIO()
    play(ProgressReport(Console(file=written, width=200, force_terminal=True, no_color=True)), facts)
    assert "epoch 1/50" in written.getvalue()
    assert "images/s" in written.getvalue()


@pytest.mark.parametrize("width", [80, 120])
def test_the_bar_and_every_loss_have_room_on_a_narrow_terminal(facts: RunFacts, width: int) -> None:
    written = io.StringIO()
    report = ProgressReport(Console(file=written, width=width, force_terminal=True, no_color=True))
    report.started(facts)
    report.stepped(2, 0.8)
    losses = {"GAN": 1.234, "GAN_Feat": 12.3, "VGG": 9.21, "KLD": 0.0123, "D_Fake": 0.53, "D_real": 1.0}
    report.measured(replace(metrics(2), losses=losses))
    report.stepped(300, 0.8)
    report.ended("finished")
    text = written.getvalue()
    assert "━━━━━━━━━━" in text
    assert "GiB" in text
    for name, value in losses.items():
        assert f"{name} {value:.3f}" in " ".join(text.split())


def test_prometheus_reads_what_the_run_does(facts: RunFacts) -> None:
    port = free_port()
    exporter = TrainingMetrics(port)
    with pytest.raises(ConfigError, match=f"--metrics-port {port}: metrics cannot be served there"):
        TrainingMetrics(port)
    exporter.started(facts)
    exporter.stepped(2, 0.8)
    exporter.stepped(4, 0.2)
    exporter.measured(metrics(2))
    exporter.validated(look(2))
    exporter.saved("somewhere")
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as answer:
        text = answer.read().decode()
    exporter.ended("finished")
    for line in (
        "spade_training_images_total 4.0",
        "spade_training_step_seconds_count 2.0",
        'spade_training_loss{loss="GAN"} 0.5',
        'spade_training_learning_rate{network="discriminator"} 0.0004',
        "spade_training_memory_bytes 1.073741824e+09",
        "spade_training_epoch 1.0",
        "spade_training_images_per_second 2.5",
        'spade_training_validation{metric="fid_segmenter"} 7.5',
    ):
        assert line in text, line
    assert "spade_training_checkpoint_timestamp_seconds" in text


def test_tensorboard_gets_scalars_and_sheets(facts: RunFacts, tmp_path: Path) -> None:
    play(TensorBoard(tmp_path / "tensorboard"), facts)
    (events,) = (tmp_path / "tensorboard").iterdir()
    content = events.read_bytes()
    for tag in (b"loss/GAN", b"learning rate/generator", b"speed/images per second", b"validation/miou", b"samples"):
        assert tag in content, tag


def test_tensorboard_that_is_not_installed_is_asked_for(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("spade.training.tensorboard.find_spec", lambda _name: None)
    with pytest.raises(ConfigError, match=r"--tensorboard needs the package tensorboard: install the extra \[train\]"):
        TensorBoard(tmp_path)


def test_every_listener_hears_every_event(facts: RunFacts) -> None:
    heard: list[str] = []

    class Recorder(Listener):
        def __getattribute__(self, name: str) -> object:
            if name in vars(Listener):
                heard.append(name)
            return super().__getattribute__(name)

    play(Listeners([Recorder(), Recorder()]), facts)
    assert len(heard) == 2 * (1 + 2 + 2 + 1 + 1 + 1 + 1)


def test_losses_without_sense_are_named() -> None:
    assert senseless(metrics(1), 1e6) == []
    assert senseless(metrics(1, loss=float("nan")), 1e6) == ["GAN nan"]
    assert senseless(metrics(1, loss=-2e6), 1e6) == ["GAN -2e+06"]


@pytest.mark.parametrize(
    ("low", "high"), [(0.0003, 0.00071), (0, 1), (-3.2, 12_345), (5, 5), (0, 0), (1e6, 3e6), (1, 1 + 1e-9)]
)
def test_a_scale_has_a_few_round_numbers_within_the_drawing(low: float, high: float) -> None:
    drawn = curve("GAN <x>", [(0, low), (7, high)], "pictures")
    assert "GAN &lt;x&gt;" in drawn
    places = [float(y) for y in re.findall(r'<line [^>]* y1="([\d.]+)"', drawn)]
    assert 2 <= len(places) <= 6
    assert all(0 < place < 190 for place in places)
    assert len(re.findall(r'text-anchor="middle">', drawn)) >= 2


def test_numbers_of_a_scale_are_short() -> None:
    assert [number(value) for value in (0.5, 2500, 15_000, 1_500_000, 2e9)] == ["0.5", "2500", "15k", "1.5M", "2G"]


def test_a_full_disk_names_the_file_of_metrics(tmp_path: Path) -> None:
    (tmp_path / "metrics.jsonl").symlink_to("/dev/full")
    with pytest.raises(OSError, match=r"metrics\.jsonl"):
        MetricsLog(tmp_path).measured(metrics(1))
