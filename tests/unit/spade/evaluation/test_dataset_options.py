from collections.abc import Callable
from pathlib import Path

import pytest

from spade.config import GeneratorConfig
from spade.data.config import Ade20kIds, DatasetConfig, Mode, Phase
from spade.data.errors import DatasetError, PairingError
from spade.data.loading import LoadingConfig
from spade.data.opening import open_dataset
from spade.data.presets import PRESETS
from spade.data.samples import TrainingBatch
from spade.errors import ConfigError
from spade.evaluation.dataset_options import DatasetChoice
from spade.evaluation.datasets import names_of, open_with_or_without_photographs
from spade.evaluation.reference import DatasetReference, FolderReference
from spade.evaluation.scored_classes import scored_classes

Choice = Callable[..., DatasetChoice]
MODEL = GeneratorConfig(label_nc=3, dont_care=True, instance_edges=False, height=64, width=64, base_channels=1)


def test_samples_are_brought_to_the_size_uncropped_and_not_mirrored(choice: Choice, tmp_path: Path) -> None:
    config = choice(tmp_path).config(192, 256)
    assert (config.size, config.flip, config.preprocess.crops) == ((192, 256), False, False)
    assert (config.label_nc, config.dont_care) == (3, True)


def test_what_is_not_given_about_custom_data_is_as_the_model_has_it(choice: Choice, tmp_path: Path) -> None:
    config = choice(tmp_path, label_nc=None, dont_care=None).config_for(MODEL, 64, 64, reference="mine")
    assert (config.label_nc, config.dont_care, config.instance_edges) == (3, True, False)


def test_custom_classes_are_called_as_the_model_calls_them_unless_said_otherwise(
    choice: Choice, tmp_path: Path
) -> None:
    def names(**given: object) -> tuple[str, ...]:
        chosen = choice(tmp_path, **{"label_nc": None, **given})
        return chosen.config_for(MODEL, 64, 64, reference="mine", class_names=("sky", "sea", "sand")).class_names

    assert names() == names(label_nc=3) == ("sky", "sea", "sand")
    assert names(class_names="a,b,c") == ("a", "b", "c")
    with pytest.raises(ConfigError, match="label_nc is 3 in the model, 4 in"):
        names(label_nc=4)


def test_instance_maps_are_read_if_the_model_does_unless_said_otherwise(choice: Choice) -> None:
    model = GeneratorConfig(label_nc=182, dont_care=True, instance_edges=True, height=64, width=64)
    coco = choice(None, mode="coco", dataroot="coco", label_nc=None, dont_care=None)
    assert coco.config_for(model, 64, 64, reference="coco").instance_edges
    without = choice(None, mode="coco", dataroot="coco", label_nc=None, dont_care=None, instances=False)
    assert not without.config_for(model, 64, 64, reference="coco").instance_edges


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        ({"label_nc": 4}, "model mine and dataset custom differ in classes: label_nc is 3 in the model, 4 in"),
        ({"dont_care": False}, "differ in an unknown class: dont_care is True in the model, False in"),
        ({"mode": "cityscapes", "label_nc": None}, "label_nc is 3 in the model, 35 in"),
        ({"mode": None}, "no dataset was named; give --dataset, one of coco, ade20k"),
        ({"dataroot": None}, "--dataset custom needs --dataroot"),
    ],
)
def test_a_dataset_that_does_not_fit_the_model_is_refused(
    choice: Choice, tmp_path: Path, given: dict[str, object], complaint: str
) -> None:
    with pytest.raises(ConfigError, match=complaint):
        choice(tmp_path, **given).config_for(MODEL, 64, 64, reference="mine")


def test_class_names_come_from_the_command_line_or_from_the_datasets_own_list(choice: Choice, tmp_path: Path) -> None:
    assert choice(tmp_path, class_names="a, b,c").config(64, 64).class_names == ("a", "b", "c")
    assert choice(tmp_path).config(64, 64).class_names == ()
    (tmp_path / "classes.csv").write_text("id,name\n0,sky\n1,sea\n2,sand\n3,unknown\n")
    assert choice(tmp_path).config(64, 64).class_names == ("sky", "sea", "sand")
    assert choice(tmp_path, label_nc=5).config(64, 64).class_names == ()


def test_scored_classes_leave_unknown_out_wherever_its_id_lies() -> None:
    def scored(mode: Mode) -> tuple[int, int | None]:
        classes = scored_classes(PRESETS[mode]("root").dataset)
        return classes.count, classes.ignored_id

    assert scored(Mode.COCO) == (182, 182)
    assert scored(Mode.ADE20K) == (151, 0)
    assert scored(Mode.CITYSCAPES) == (35, None)
    shifted = DatasetConfig(
        mode=Mode.ADE20K, root="root", label_nc=150, dont_care=True, instance_edges=False, ade20k_ids=Ade20kIds.SHIFTED
    )
    assert (scored_classes(shifted).count, scored_classes(shifted).ignored_id) == (150, 150)


def test_photographs_are_found_or_done_without(choice: Choice, shapes_dataset: Callable[..., Path]) -> None:
    loading = LoadingConfig(batch_size=2)
    with_them = DatasetReference(choice(shapes_dataset("with", val=3)).config(64, 64), Phase.VAL)
    batches = list(with_them.batches(loading))
    assert with_them.has_photographs
    assert [len(batch.names) for batch in batches] == [2, 1]
    assert all(isinstance(batch.source, TrainingBatch) for batch in batches)

    config = choice(shapes_dataset("without", val=3, photographs=False)).config(64, 64)
    without = DatasetReference(config, Phase.VAL)
    assert not without.has_photographs
    assert [batch.photographs for batch in without.batches(loading)] == [None, None]
    assert without.names == ("shape_0", "shape_1", "shape_2")
    assert (without.described().count, without.described().split) == (3, "val")
    with pytest.raises(DatasetError, match="val_img: there is no such folder"):
        DatasetReference(config, Phase.VAL, photographs=True)


def test_a_photograph_that_is_missing_is_no_dataset_without_photographs(
    choice: Choice, shapes_dataset: Callable[..., Path]
) -> None:
    root = shapes_dataset(val=3)
    (root / "val_img" / "shape_1.png").unlink()
    config = choice(root).config(64, 64)
    with pytest.raises(PairingError, match=r"shape_1\.png has no picture"):
        open_with_or_without_photographs(config, Phase.VAL)
    assert not DatasetReference(config, Phase.VAL, photographs=False).has_photographs


def test_scenes_have_the_names_that_their_samples_will_have(choice: Choice) -> None:
    scenes = choice(None, mode="scenes", label_nc=None, dont_care=None, limit=20).config(64, 64)
    reference = DatasetReference(scenes, Phase.VAL)
    first = next(reference.batches(LoadingConfig(batch_size=2)))
    assert reference.names[:2] == first.names
    assert reference.names == names_of(open_dataset(scenes, Phase.VAL))
    assert reference.described().source == "scenes"


def test_a_folder_of_photographs_is_read_at_the_size_in_batches(shapes_dataset: Callable[..., Path]) -> None:
    folder = FolderReference(shapes_dataset(val=3) / "val_img", 32, 48, resize=True)
    batches = list(folder.batches(LoadingConfig(batch_size=2)))
    assert [len(batch.names) for batch in batches] == [2, 1]
    assert batches[0].photographs is not None
    assert batches[0].photographs.shape == (2, 3, 32, 48)
    assert folder.described().count == 3
