import copy

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from spade.config import Norm, Upsampling
from spade.generator import SpadeGenerator
from spade.labels import dense_semantics
from spade.normalization import SpadeNorm
from spade.semantics import SparseSemantics
from spade.windows import find_windows
from support.generators import small_config


def blocky(batch: int, side: int, classes: int, *, block: int) -> Tensor:
    torch.manual_seed(batch * side)
    small = torch.randint(classes, (batch, side // block, side // block))
    return small.repeat_interleave(block, 1).repeat_interleave(block, 2)


@pytest.mark.parametrize("block", [1, 8])
@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"instance_edges": False},
        {"dont_care": False},
        {"kernel_size": 5},
        {"norm": Norm.INSTANCE, "height": 128, "width": 128},
        {"upsampling": Upsampling.MORE, "height": 128, "width": 64},
        {"latent_dim": 6},
    ],
)
def test_pictures_and_gradients_are_those_of_the_dense_form(changes: dict[str, object], block: int) -> None:
    form = small_config(**changes)
    torch.manual_seed(1)
    generator = SpadeGenerator(form).double().train()
    twin = copy.deepcopy(generator)
    classes = form.label_nc + form.dont_care
    labels = blocky(2, 128, classes, block=block)[:, : form.height, : form.width]
    instances = blocky(2, 128, 3, block=max(block, 8))[:, : form.height, : form.width]
    z = None if form.latent_dim is None else torch.randn(2, form.latent_dim).double()
    expected = generator(dense_semantics(labels, instances, form).double(), z)
    pictures = twin(SparseSemantics(labels, instances, form), z)
    assert torch.allclose(pictures, expected, atol=1e-9)
    target = torch.randn_like(expected)
    (expected * target).sum().backward()
    (pictures * target).sum().backward()
    for (name, ours), theirs in zip(twin.named_parameters(), generator.parameters(), strict=True):
        assert ours.grad is not None, name
        assert theirs.grad is not None, name
        assert torch.allclose(ours.grad, theirs.grad, atol=1e-8, rtol=1e-6), name


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 3), st.integers(1, 9), st.integers(1, 9), st.sampled_from([3, 5]), st.integers(1, 400))
def test_every_window_is_found_as_it_is(batch: int, height: int, width: int, size: int, values: int) -> None:
    torch.manual_seed(height * width)
    codes = torch.randint(1, values + 1, (batch, height, width))
    windows = find_windows(codes, size)
    radius = size // 2
    padded = torch.nn.functional.pad(codes, (radius,) * 4, value=0)
    inner = padded.unfold(1, size, 1).unfold(2, size, 1).flatten(3)
    assert torch.equal(windows.ids[windows.ids_of_pixel], inner)
    outside = torch.nn.functional.pad(windows.ids_of_pixel, (radius,) * 4, value=len(windows.ids))
    outer = outside.unfold(1, size, 1).unfold(2, size, 1).flatten(3)
    assert torch.equal(windows.hidden[windows.hidden_of_pixel], outer)
    assert len(torch.unique(windows.ids, dim=0)) == len(windows.ids)
    assert len(torch.unique(windows.hidden, dim=0)) == len(windows.hidden)


def test_the_dense_form_is_the_same_at_every_resolution() -> None:
    form = small_config()
    labels, instances = blocky(2, 64, 6, block=4), blocky(2, 64, 4, block=8)
    sparse = SparseSemantics(labels, instances, form)
    whole = dense_semantics(labels, instances, form)
    assert sparse.shape == tuple(whole.shape)
    for side in (64, 16, 2):
        resized = torch.nn.functional.interpolate(whole, size=(side, side), mode="nearest")
        assert torch.equal(sparse.dense(side, side), resized)


def test_modulation_keeps_one_map_as_large_as_its_input_for_the_gradients() -> None:
    form = small_config()
    layer = SpadeNorm(16, form)
    normalized = torch.randn(1, 16, 64, 64, requires_grad=True)
    kept: set[int] = set()

    def keep(tensor: Tensor) -> Tensor:
        if tensor.numel() >= normalized.numel():
            kept.add(tensor.untyped_storage().data_ptr())
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        semantics = SparseSemantics(blocky(1, 64, 6, block=16), None, form)
        semantics.modulation((64, 64), layer.shared, layer.gamma, layer.beta)(normalized)
    assert kept == {normalized.untyped_storage().data_ptr()}
