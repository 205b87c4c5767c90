"""The published defaults of each dataset mode, as functions that return a configuration.

Source: the published code's options (NVlabs/SPADE, CVPR 2019). One difference is meant: `custom` reads instance maps
only when asked to, because most datasets have none.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from spade.config import Upsampling
from spade.data.config import DatasetConfig, Mode, Preprocess
from spade.data.scenes.classes import SCENE_CLASSES


@dataclass(frozen=True, slots=True, kw_only=True)
class Preset:
    """A dataset with what was trained on it."""

    dataset: DatasetConfig
    batch_size: int = 1
    """Pictures of one step on all devices together."""
    upsampling: Upsampling = Upsampling.NORMAL


def coco(root: str) -> Preset:
    """COCO-Stuff: 182 classes, unknown, edges between instances; 256x256 from 286x286."""
    return Preset(
        dataset=DatasetConfig(mode=Mode.COCO, root=root, label_nc=182, dont_care=True, instance_edges=True),
    )


def ade20k(root: str) -> Preset:
    """ADE20K: 150 classes and unknown, raw ids; 256x256 from 286x286."""
    return Preset(
        dataset=DatasetConfig(mode=Mode.ADE20K, root=root, label_nc=150, dont_care=True, instance_edges=False),
    )


def cityscapes(root: str) -> Preset:
    """Cityscapes: 35 classes, edges between instances; 512x256, one doubling more, 16 pictures a step."""
    return Preset(
        dataset=DatasetConfig(
            mode=Mode.CITYSCAPES,
            root=root,
            label_nc=35,
            dont_care=False,
            instance_edges=True,
            preprocess=Preprocess.FIXED,
            load_size=512,
            crop_size=512,
            aspect_ratio=2.0,
        ),
        batch_size=16,
        upsampling=Upsampling.MORE,
    )


def facades(root: str) -> Preset:
    """CMP Facades: 13 classes; 256x256 from 286x286."""
    return Preset(
        dataset=DatasetConfig(mode=Mode.FACADES, root=root, label_nc=13, dont_care=False, instance_edges=False),
    )


def custom(root: str) -> Preset:
    """One's own dataset: 13 classes unless said otherwise; 256x256 from 286x286."""
    return Preset(
        dataset=DatasetConfig(mode=Mode.CUSTOM, root=root, label_nc=13, dont_care=False, instance_edges=False),
    )


def scenes(root: str = "") -> Preset:
    """Landscapes that the project draws, with the class ids of the built-in model `landscape`; 256x256."""
    return Preset(
        dataset=DatasetConfig(
            mode=Mode.SCENES,
            root=root,
            label_nc=len(SCENE_CLASSES),
            dont_care=True,
            instance_edges=False,
            class_names=SCENE_CLASSES,
            preprocess=Preprocess.FIXED,
            load_size=256,
        ),
    )


PRESETS: Mapping[Mode, Callable[[str], Preset]] = MappingProxyType(
    {
        Mode.COCO: coco,
        Mode.ADE20K: ade20k,
        Mode.CITYSCAPES: cityscapes,
        Mode.FACADES: facades,
        Mode.CUSTOM: custom,
        Mode.SCENES: scenes,
    }
)
