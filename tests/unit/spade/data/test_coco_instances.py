"""Instance maps from a small annotation file."""

import json

import numpy as np
import pytest

from spade.data.coco_instances import read_annotations, write_instance_maps
from spade.data.errors import DatasetError
from spade.data.reading import read_instance_map


def square(left, top, right, bottom):
    return [left, top, right, top, right, bottom, left, bottom]


def annotations(tree, *segmentations, **image):
    data = {
        "images": [{"id": 4, "file_name": "000004.jpg", "height": 8, "width": 10} | image],
        "annotations": [{"id": number, "image_id": 4, "segmentation": one} for number, one in enumerate(segmentations)],
    }
    return tree.data("annotations.json", json.dumps(data).encode())


def made(tree, *segmentations):
    (path,) = write_instance_maps(annotations(tree, *segmentations), tree.root / "maps", tree.root / "out")
    assert path == tree.root / "out/000004.png"
    return read_instance_map(path)


def test_each_polygon_gets_a_number_of_its_own_upon_the_map(tree):
    tree.ids("maps/000004.png", 90)
    instances = made(tree, [square(0, 0, 4, 4)], [square(6, 2, 10, 8)])
    wanted = np.full((8, 10), 90)
    wanted[0:4, 0:4] = 0
    wanted[2:8, 6:10] = 1
    assert np.array_equal(instances, wanted)


def test_later_polygons_lie_on_top_and_parts_are_one(tree):
    tree.ids("maps/000004.png", 90)
    instances = made(tree, [square(0, 0, 4, 4)], [square(2, 0, 6, 4), square(7, 0, 9, 2)])
    assert instances[0].tolist() == [0, 0, 1, 1, 1, 1, 90, 1, 1, 90]


def test_numbers_that_the_map_has_are_passed_over(tree):
    tree.ids("maps/000004.png", 0)
    instances = made(tree, [square(0, 0, 4, 4)], [])
    assert set(np.unique(instances)) == {0, 1}


def test_crowds_are_passed_over(tree):
    tree.ids("maps/000004.png", 90)
    assert (made(tree, {"counts": [80], "size": [8, 10]}) == 90).all()


def test_many_instances_need_more_than_8_bits(tree):
    tree.ids("maps/000004.png", 90)
    instances = made(
        tree, *[[square(column, row, column + 1, row + 1)] for row in range(8) for column in range(10)] * 4
    )
    assert len(np.unique(instances)) == 80
    assert instances.max() > 255


def test_images_without_a_map_are_passed_over_but_not_all(tree):
    path = annotations(tree, [square(0, 0, 4, 4)])
    tree.ids("maps/000005.png", 90)
    with pytest.raises(DatasetError, match="it has a map for none of the 1 images"):
        list(write_instance_maps(path, tree.root / "maps", tree.root / "out"))


def test_a_map_of_another_size_is_refused(tree):
    tree.ids("maps/000004.png", 90, (4, 4))
    path = annotations(tree, [square(0, 0, 4, 4)])
    with pytest.raises(DatasetError, match="annotations are for 10x8 pixels, but the stuff-thing map has 4x4"):
        list(write_instance_maps(path, tree.root / "maps", tree.root / "out"))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"{", "this is no COCO annotation file"),
        (b"[]", "this is no COCO annotation file"),
        (b'{"annotations": []}', "KeyError 'images'"),
        (
            b'{"annotations": [], "images": [{"id": 1, "file_name": "a", "height": 0, "width": 4}]}',
            "image 1 has no size",
        ),
        (
            b'{"annotations": [{"id": 7, "image_id": 1, "segmentation": [[1, 2, 3, 4]]}], "images": []}',
            "annotation 7 has a polygon that is none",
        ),
        (
            b'{"annotations": [{"id": 7, "image_id": 1, "segmentation": [[1, 2, 3, 4, 5, NaN]]}], "images": []}',
            "annotation 7 has a polygon that is none",
        ),
    ],
)
def test_a_file_that_is_no_annotation_is_explained(tree, content, message):
    with pytest.raises(DatasetError, match=message):
        read_annotations(tree.data("a.json", content))
