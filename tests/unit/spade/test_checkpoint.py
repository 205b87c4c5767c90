import json
import stat
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from spade.checkpoint import load_encoder, load_generator, save_network
from spade.config import EncoderConfig, GeneratorConfig
from spade.encoder import ImageEncoder
from spade.errors import CheckpointError
from spade.files import written_whole
from spade.generator import SpadeGenerator


@pytest.fixture
def saved(tiny: GeneratorConfig, tmp_path: Path) -> Path:
    path = tmp_path / "model.safetensors"
    save_network(path, SpadeGenerator(tiny))
    return path


def test_a_saved_generator_is_loaded_with_its_config_and_every_tensor(tiny: GeneratorConfig, tmp_path: Path) -> None:
    generator = SpadeGenerator(tiny)
    save_network(tmp_path / "new folder" / "model.safetensors", generator)
    loaded = load_generator(tmp_path / "new folder" / "model.safetensors")
    assert loaded.config == tiny
    assert not loaded.training
    state = generator.state_dict()
    assert loaded.state_dict().keys() == state.keys()
    assert all(tensor.equal(state[name]) for name, tensor in loaded.state_dict().items())


def test_training_can_go_on_from_a_loaded_generator(saved: Path) -> None:
    generator = load_generator(saved).train()
    u = generator.up_0.conv_0.parametrizations.weight[0]._u.clone()
    generator(torch.ones((2, 6, 32, 64))).sum().backward()
    assert generator.start.weight.grad is not None
    assert not generator.up_0.conv_0.parametrizations.weight[0]._u.equal(u)


def test_equal_generators_make_equal_files(saved: Path, tmp_path: Path) -> None:
    again = tmp_path / "again.safetensors"
    save_network(again, load_generator(saved))
    assert again.read_bytes() == saved.read_bytes()


def test_the_file_is_what_the_library_reads_with_one_metadata_key(saved: Path, tiny: GeneratorConfig) -> None:
    with safe_open(saved, framework="pt") as file:
        assert json.loads(file.metadata().pop("config")) == tiny.to_dict()
        assert list(file.metadata()) == ["config"]
    assert load_file(saved)["head.norm_0.statistics.num_batches_tracked"].dtype == torch.int64


def test_a_file_has_the_permissions_that_the_process_gives_new_files(saved: Path) -> None:
    plain = saved.with_name("plain")
    plain.touch()
    assert stat.S_IMODE(saved.stat().st_mode) == stat.S_IMODE(plain.stat().st_mode)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"nix\.safetensors: there is no such file"):
        load_generator(tmp_path / "nix.safetensors")


@pytest.mark.parametrize("damage", ["cut", "garbage", "empty"])
def test_a_damaged_file_is_refused(saved: Path, damage: str) -> None:
    data = saved.read_bytes()
    saved.write_bytes({"cut": data[:-100], "garbage": b"\x89PNG" * 400, "empty": b""}[damage])
    with pytest.raises(CheckpointError, match="not a readable safetensors file"):
        load_generator(saved)


def test_a_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="not a readable"):
        load_generator(tmp_path)


@pytest.mark.parametrize(
    ("metadata", "named"),
    [
        (None, "holds no config of a network"),
        ({"config": "{"}, "config cannot be used"),
        ({"config": '{"label_nc": 4}'}, "'dont_care' is missing"),
    ],
)
def test_a_file_without_a_usable_config_is_refused(saved: Path, metadata: dict[str, str] | None, named: str) -> None:
    save_file(load_file(saved), saved, metadata=metadata)
    with pytest.raises(CheckpointError, match=named):
        load_generator(saved)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda state: state.pop("head.conv_0.bias"), r"head\.conv_0\.bias is missing; expected float32 \(16,\)"),
        (
            lambda state: state.update({"head.conv_0.bias": torch.zeros(3)}),
            r"head\.conv_0\.bias is float32 \(3,\), expected float32 \(16,\)",
        ),
        (
            lambda state: state.update({"head.conv_0.bias": torch.zeros(16, dtype=torch.float16)}),
            r"head\.conv_0\.bias is float16 \(16,\), expected float32 \(16,\)",
        ),
        (lambda state: state.update({"extra": torch.zeros(3)}), "extra has no place"),
    ],
)
def test_the_first_tensor_that_does_not_fit_is_named(saved: Path, tiny: GeneratorConfig, change, named: str) -> None:
    state = load_file(saved)
    change(state)
    save_file(state, saved, metadata={"config": json.dumps(tiny.to_dict())})
    with pytest.raises(CheckpointError, match=named):
        load_generator(saved)


def test_a_place_that_cannot_be_written_is_named(tiny: GeneratorConfig, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(CheckpointError, match="cannot be written"):
        save_network(tmp_path / "file" / "model.safetensors", SpadeGenerator(tiny))


def test_weights_of_layers_may_be_kept_in_half_the_space(saved: Path, tmp_path: Path) -> None:
    generator = load_generator(saved)
    save_network(tmp_path / "half.safetensors", generator, half=True)
    assert (tmp_path / "half.safetensors").stat().st_size < 0.65 * saved.stat().st_size
    loaded = load_generator(tmp_path / "half.safetensors").state_dict()
    for name, tensor in generator.state_dict().items():
        assert loaded[name].dtype == tensor.dtype, name
        assert torch.allclose(loaded[name], tensor, rtol=2**-10, atol=2**-24), name
        assert tensor.ndim > 1 or torch.equal(loaded[name], tensor), name


def test_a_saved_encoder_is_loaded(tmp_path: Path) -> None:
    encoder = ImageEncoder(EncoderConfig(latent_dim=4, base_channels=2)).eval()
    save_network(tmp_path / "encoder.safetensors", encoder)
    loaded = load_encoder(tmp_path / "encoder.safetensors")
    pictures = torch.rand(2, 3, 64, 96)
    assert not loaded.training
    torch.testing.assert_close(loaded(pictures), encoder(pictures))
    with pytest.raises(CheckpointError, match="config cannot be used"):
        load_generator(tmp_path / "encoder.safetensors")


def test_half_precision_is_refused_before_a_file_is_made(tiny: GeneratorConfig, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="float16"):
        save_network(tmp_path / "model.safetensors", SpadeGenerator(tiny).half())
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_cannot_be_written_is_called_by_its_own_name(tmp_path: Path) -> None:
    (tmp_path / "page.html").mkdir()
    (tmp_path / "page.html" / "full").touch()
    with pytest.raises(OSError, match=r"page\.html") as refused, written_whole(tmp_path / "page.html") as partial:
        partial.touch()
    assert refused.value.filename == str(tmp_path / "page.html")


def test_an_error_leaves_the_older_file_as_it_was(saved: Path) -> None:
    before = saved.read_bytes()
    with suppress(InterruptedError), written_whole(saved) as partial:
        partial.write_bytes(b"half")
        raise InterruptedError
    assert saved.read_bytes() == before
    assert list(saved.parent.iterdir()) == [saved]


def test_a_killed_process_leaves_no_half_file_under_the_name(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    writes_half = (
        "import pathlib, sys, spade.files\n"
        "with spade.files.written_whole(pathlib.Path(sys.argv[1])) as partial:\n"
        "    partial.write_bytes(b'half')\n"
        "    print('half', flush=True)\n"
        "    sys.stdin.read()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", writes_half, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "half\n"
        child.kill()
    assert not path.exists()
    assert [left.suffix for left in tmp_path.iterdir()] == [".partial"]
