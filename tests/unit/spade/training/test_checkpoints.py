"""Saved states: whole or not there, the last few of them, and refused where they do not fit."""

import pickle
import random
import resource
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from deploy.cluster.finished import is_finished
from spade.errors import CheckpointError, ConfigError
from spade.training.checkpoint_store import LocalCheckpoints, open_store
from spade.training.checkpoints import Checkpoints, read_checkpoint
from spade.training.config import TrainingConfig
from spade.training.finished import TrainedRun
from spade.training.state import FORMAT, RunState
from spade.training.validation_config import Standing

Build = Callable[[TrainingConfig], RunState]


@pytest.fixture
def checkpoints(tmp_path: Path) -> Checkpoints:
    return Checkpoints(LocalCheckpoints(tmp_path), keep=2)


@contextmanager
def almost_full_disk() -> Iterator[None]:
    """No file of this process can grow beyond 20 kB; nor can the one that pytest reports to, so keep it short."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def state(value: float, size: int = 1) -> dict[str, Any]:
    return {"format": FORMAT, "value": torch.full((size,), value)}


def test_the_last_states_are_kept_and_the_latest_is_found(checkpoints: Checkpoints) -> None:
    assert checkpoints.latest() is None
    for step in (5, 10, 100):
        checkpoints.save(step, state(step))
        assert checkpoints.place_of_step(step).endswith(f"/step-{step:09}.pt")
    assert checkpoints.names() == ["step-000000010.pt", "step-000000100.pt"]
    assert checkpoints.load(checkpoints.latest() or "")["value"].item() == 100


def test_the_states_of_epochs_stay_whatever_comes_after_them(checkpoints: Checkpoints) -> None:
    checkpoints.keep(1, state(1))
    for step in (5, 10, 100):
        checkpoints.save(step, state(step))
    assert checkpoints.names() == ["step-000000010.pt", "step-000000100.pt"]
    assert checkpoints.load("epoch-000001.pt")["value"].item() == 1


def test_a_run_that_went_back_leaves_no_later_states_behind(checkpoints: Checkpoints) -> None:
    for step in (10, 20):
        checkpoints.save(step, state(step))
    checkpoints.save(15, state(15))
    assert checkpoints.names() == ["step-000000010.pt", "step-000000015.pt"]


def test_a_full_disk_leaves_the_earlier_checkpoint_intact(checkpoints: Checkpoints, tmp_path: Path) -> None:
    checkpoints.save(1, state(1))
    with almost_full_disk(), pytest.raises(CheckpointError) as refused:
        checkpoints.save(2, state(2, size=100_000))
    assert str(refused.value) == f"{tmp_path}/step-000000002.pt: cannot be written: File too large"
    assert [path.name for path in tmp_path.iterdir()] == ["step-000000001.pt"]
    assert checkpoints.load("step-000000001.pt")["value"].item() == 1


def test_what_a_killed_process_left_unfinished_is_cleared_away(checkpoints: Checkpoints, tmp_path: Path) -> None:
    (tmp_path / ".step-000000007.pt.123.partial").write_bytes(b"half")
    assert checkpoints.latest() is None
    checkpoints.save(8, state(8))
    assert [path.name for path in tmp_path.iterdir()] == ["step-000000008.pt"]


class Evil:
    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (Path("/tmp/never"),))  # noqa: S108 - never made


@pytest.mark.parametrize(
    "content", [b"", b"not a checkpoint", pickle.dumps({"format": FORMAT, "evil": Evil()}), pickle.dumps([1])]
)
def test_a_file_that_is_no_checkpoint_is_refused_without_running_it(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "step-000000001.pt"
    path.write_bytes(content)
    # Whoever names a file of another kind must not be told to remove it.
    with pytest.raises(CheckpointError, match=r"step-000000001\.pt: .*damaged or something else(?!.*remove)"):
        read_checkpoint(path, where=str(path))


def test_a_damaged_checkpoint_and_a_missing_one_are_named(checkpoints: Checkpoints, tmp_path: Path) -> None:
    checkpoints.save(1, state(1, size=1000))
    path = Path(checkpoints.place_of_step(1))
    whole = path.read_bytes()
    path.write_bytes(whole[:-500])
    with pytest.raises(
        CheckpointError, match="it is damaged or something else; remove it to go on from the one before it"
    ):
        checkpoints.load(path.name)
    content = bytearray(whole)
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match=r"damaged or something else; remove it"):
        checkpoints.load(path.name)
    with pytest.raises(CheckpointError, match=r"nothing\.pt: there is no such file$"):
        read_checkpoint(tmp_path / "nothing.pt", where="nothing.pt")
    torch.save({"format": 99}, path)
    with pytest.raises(CheckpointError, match=r"that this version reads \(format 99\)"):
        checkpoints.load(path.name)


def test_a_state_goes_through_a_file_and_back(
    vae_config: TrainingConfig, state_of: Build, checkpoints: Checkpoints
) -> None:
    saved = state_of(vae_config)
    saved.position.step, saved.position.epoch = 7, 3
    for parameter in saved.networks.generator_parameters():
        parameter.grad = torch.ones_like(parameter)
    saved.optimizers.generator.step()
    np.random.seed(5)
    random.seed(6)
    torch.manual_seed(7)
    checkpoints.save(7, saved.to_mapping())
    drawn = (np.random.rand(), random.random(), torch.rand(1).item())  # noqa: S311 - no secret

    loaded = state_of(
        replace(vae_config, seed=1, optimizer=replace(vae_config.optimizer, learning_rate=1.0, beta2=0.5))
    )
    loaded.load_mapping(checkpoints.load("step-000000007.pt"), where="step 7")
    assert loaded.position == saved.position
    assert (np.random.rand(), random.random(), torch.rand(1).item()) == drawn  # noqa: S311
    for (_, network), (_, other) in zip(saved.networks.named(), loaded.networks.named(), strict=True):
        for key, tensor in network.state_dict().items():
            assert torch.equal(tensor, other.state_dict()[key])
    moments = loaded.optimizers.generator.state_dict()["state"]
    assert moments.keys() == saved.optimizers.generator.state_dict()["state"].keys()
    # Settings are those of the configuration, so that a run can go on with a lower rate.
    assert loaded.optimizers.generator.param_groups[0]["lr"] == 0.5
    assert loaded.optimizers.generator.param_groups[0]["betas"] == (0.0, 0.5)


def test_a_checkpoint_of_another_architecture_is_refused_by_the_first_setting_that_differs(
    tiny_config: TrainingConfig, vae_config: TrainingConfig, state_of: Build
) -> None:
    saved = state_of(tiny_config).to_mapping()
    wider = replace(tiny_config, generator=replace(tiny_config.generator, base_channels=3))
    with pytest.raises(CheckpointError) as refused:
        state_of(wider).load_mapping(saved, where="a.pt")
    assert str(refused.value) == (
        "a.pt: of another architecture: its generator has base_channels 2, this configuration has 3"
    )
    with pytest.raises(CheckpointError, match="its generator has latent_dim None, this configuration has 4"):
        state_of(vae_config).load_mapping(saved, where="a.pt")


def test_a_checkpoint_from_before_a_setting_existed_is_read_with_its_default(
    tiny_config: TrainingConfig, state_of: Build
) -> None:
    saved = state_of(tiny_config).to_mapping()
    del saved["config"]["generator"]["output_multiplier"]
    state_of(tiny_config).load_mapping(saved, where="a.pt")
    dimmed = replace(tiny_config, generator=replace(tiny_config.generator, output_multiplier=0.5))
    with pytest.raises(CheckpointError, match=r"its generator has output_multiplier 1\.0, this configuration has 0\.5"):
        state_of(dimmed).load_mapping(saved, where="a.pt")


def test_a_checkpoint_from_before_there_were_looks_is_read_as_one_without_any(
    tiny_config: TrainingConfig, state_of: Build, checkpoints: Checkpoints, tmp_path: Path
) -> None:
    saved = state_of(tiny_config).to_mapping()
    del saved["standing"]
    loaded = state_of(tiny_config)
    loaded.standing = Standing(best=3.0)
    loaded.load_mapping(saved, where="a.pt")
    assert loaded.standing == Standing()
    checkpoints.save(1, saved)
    assert not is_finished(tiny_config, str(tmp_path), {})


@pytest.mark.parametrize("lost", ["config", "networks", "optimizers", "position", "random"])
def test_a_state_that_is_not_whole_is_refused_by_what_it_lacks(
    tiny_config: TrainingConfig, state_of: Build, lost: str
) -> None:
    saved = state_of(tiny_config).to_mapping()
    del saved[lost]
    with pytest.raises(CheckpointError) as refused:
        state_of(tiny_config).load_mapping(saved, where="a.pt")
    assert str(refused.value) == f"a.pt: not the whole state of a run of this version: KeyError: '{lost}'"


def test_a_state_that_is_not_whole_is_no_run_to_export(tiny_config: TrainingConfig, state_of: Build) -> None:
    saved = state_of(tiny_config).to_mapping()
    saved["networks"]["generator"].popitem()
    with pytest.raises(CheckpointError, match=r"a\.pt: not the whole state .* Missing key\(s\) in state_dict"):
        TrainedRun.from_checkpoint(saved, place="a.pt")


def test_what_a_run_killed_after_a_save_left_too_much_is_removed(checkpoints: Checkpoints, tmp_path: Path) -> None:
    Checkpoints(LocalCheckpoints(tmp_path), keep=9).save(1, state(1))
    for step in (2, 3):
        Checkpoints(LocalCheckpoints(tmp_path), keep=9).save(step, state(step))
    checkpoints.remove_others("step-000000003.pt")
    assert checkpoints.names() == ["step-000000002.pt", "step-000000003.pt"]


def test_a_store_is_a_folder_or_an_s3_url_that_the_environment_explains(tmp_path: Path) -> None:
    assert isinstance(open_store(str(tmp_path), {}), LocalCheckpoints)
    with pytest.raises(ConfigError, match="need the environment variable SPADE_S3_ENDPOINT"):
        open_store("s3://bucket/run", {})
    environment = {f"SPADE_S3_{name}": "x" for name in ("ENDPOINT", "ACCESS_KEY", "SECRET_KEY")}
    with pytest.raises(ConfigError, match="s3://: write s3://bucket/prefix"):
        open_store("s3://", environment)
    with pytest.raises(ConfigError, match=r"SPADE_S3_ENDPOINT is 'http://x/y': .*; write host:port"):
        open_store("s3://bucket", environment | {"SPADE_S3_ENDPOINT": "http://x/y"})
