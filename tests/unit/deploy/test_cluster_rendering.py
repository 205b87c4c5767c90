"""Overlays of training that somebody changed, and what a run puts into them."""

import pytest
import yaml

from deploy.cluster.errors import RunError
from deploy.cluster.rendering import MANIFESTS, completed
from deploy.cluster.run_plan import Kind, RunPlan

CONFIG = MANIFESTS / "overlays" / "training-multi" / "run.toml"
OVERLAY = "namespace: mine # ours\ncomponents: [../../components/training-run, ../ours]\n"
PLAN = RunPlan(name="run1", config=CONFIG, kind=Kind.MULTI, namespace="12", data="claim:coco", checkpoints="")


def test_an_overlay_that_was_changed_keeps_its_components() -> None:
    assert yaml.safe_load(completed(OVERLAY, PLAN, where=CONFIG)) == {
        "namespace": "12",
        "components": ["../../components/training-run", "../ours", "../../components/training-data-claim"],
    }


@pytest.mark.parametrize(
    ("there", "instead"),
    [
        ("namespace:", "nameSpace:"),
        ("components: [", "components:\n  - x: ["),
        ("training-run", "run"),
        ("\n", OVERLAY),
    ],
)
def test_an_overlay_that_cannot_be_completed_is_named_with_what_it_needs(there: str, instead: str) -> None:
    with pytest.raises(
        RunError, match=r"run.toml: .* must have one line `namespace: spade` and one line `components: "
    ):
        completed(OVERLAY.replace(there, instead), PLAN, where=CONFIG)
