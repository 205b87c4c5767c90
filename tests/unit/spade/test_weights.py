import hashlib
import pickle
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from spade.errors import CheckpointError
from spade.weights import file_digest, fit, read_tensors


class Harmful:
    def __reduce__(self) -> tuple[object, tuple[str, ...]]:
        return print, ("this must not run",)


def test_both_formats_give_named_tensors(tmp_path: Path) -> None:
    tensors = {"weight": torch.arange(6.0).reshape(2, 3)}
    torch.save(tensors, tmp_path / "one.pth")
    save_file(tensors, tmp_path / "one.safetensors")
    for name in ("one.pth", "one.safetensors"):
        torch.testing.assert_close(read_tensors(tmp_path / name)["weight"], tensors["weight"])


def test_a_file_that_would_run_code_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    torch.save({"weight": Harmful()}, tmp_path / "harmful.pth")
    with pytest.raises(CheckpointError, match=r"harmful\.pth: refused: it holds print, which is no tensor"):
        read_tensors(tmp_path / "harmful.pth")
    assert "this must not run" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("name", "content", "complaint"),
    [
        ("damaged.pth", b"PK\x03\x04 broken", "not a checkpoint that torch can read"),
        ("empty.pth", b"", "not a checkpoint that torch can read"),
        ("damaged.safetensors", b"\x05", "not a readable safetensors file"),
        ("pickle.pth", pickle.dumps([1, 2]), "not a checkpoint that torch can read|it holds list"),
        ("nonsense.pth", b"\x85", "not a checkpoint that torch can read"),
    ],
)
def test_a_damaged_file_is_named(tmp_path: Path, name: str, content: bytes, complaint: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(CheckpointError, match=f"{name}: ({complaint})") as refused:
        read_tensors(tmp_path / name)
    assert "\n" not in str(refused.value)


def test_an_absent_file_is_named(tmp_path: Path) -> None:
    for name in ("absent.pth", "absent.safetensors"):
        with pytest.raises(CheckpointError, match=rf"{name}: there is no such file"):
            read_tensors(tmp_path / name)
    with pytest.raises(CheckpointError, match="absent: No such file"):
        file_digest(tmp_path / "absent")


def test_something_other_than_tensors_is_refused(tmp_path: Path) -> None:
    torch.save({"epoch": 3}, tmp_path / "state.pth")
    with pytest.raises(CheckpointError, match="'epoch' is int; only tensors by name are expected"):
        read_tensors(tmp_path / "state.pth")


def test_the_digest_is_of_the_bytes(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"weights")
    about = file_digest(tmp_path / "file")
    assert (about.name, about.sha256) == ("file", hashlib.sha256(b"weights").hexdigest())


def test_a_network_gets_its_tensors_in_its_own_type_and_leaves_the_rest() -> None:
    network = nn.Linear(3, 2)
    tensors = {"weight": torch.ones(2, 3).half(), "bias": torch.zeros(2), "classifier": torch.zeros(9)}
    fit(network, tensors, where="file", what="a layer")
    assert network.weight.dtype == torch.float32
    assert not network.training
    assert not network.weight.requires_grad
    del tensors["bias"]
    with pytest.raises(CheckpointError, match=r"file: not a layer: tensor bias is missing, expected \(2,\)"):
        fit(network, tensors, where="file", what="a layer")
