import pytest
import torch

from spade.errors import ConfigError
from spade.labels import edges_between, semantics_from_labels


def test_semantics_have_one_channel_per_class_then_unknown_then_edges() -> None:
    labels = torch.tensor([[[0, 1], [2, 3]]], dtype=torch.uint8)
    semantics = semantics_from_labels(labels, None, label_nc=3, dont_care=True, instance_edges=True)
    assert semantics.shape == (1, 5, 2, 2)
    assert semantics.dtype == torch.float32
    assert semantics[0, :4].argmax(0).equal(labels[0].long())
    assert semantics[0, :4].sum(0).eq(1).all()
    assert semantics[0, 4].eq(1).all()


def test_both_sides_of_a_border_are_edges_and_nothing_else_is() -> None:
    instances = torch.zeros((1, 5, 6), dtype=torch.int32)
    instances[0, :, 3:] = 70_000
    assert edges_between(instances)[0].sum(0).tolist() == [0, 0, 5, 5, 0, 0]
    assert edges_between(instances.transpose(1, 2))[0].sum(1).tolist() == [0, 0, 5, 5, 0, 0]


def test_touching_corners_are_no_edge() -> None:
    instances = torch.zeros((1, 4, 4), dtype=torch.int32)
    instances[0, 0, 0] = 1
    assert edges_between(instances)[0].nonzero().tolist() == [[0, 0], [0, 1], [1, 0]]


def test_instances_decide_the_edges_where_they_are_given() -> None:
    labels = torch.tensor([[[0, 1]]])
    one_instance = torch.zeros((1, 1, 2), dtype=torch.int64)
    semantics = semantics_from_labels(labels, one_instance, label_nc=2, dont_care=False, instance_edges=True)
    assert semantics[0, 2].eq(0).all()


@pytest.mark.parametrize("bad_id", [-1, 3, 255])
def test_an_id_without_a_channel_is_named(bad_id: int) -> None:
    labels = torch.tensor([[[0, bad_id]]])
    with pytest.raises(ConfigError, match=f"id {bad_id} is out of range; ids are 0 to 2"):
        semantics_from_labels(labels, None, label_nc=2, dont_care=True, instance_edges=False)
