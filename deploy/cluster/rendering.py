"""The manifests of a run: an overlay of `k8s/overlays` with a `run.env` and a `run.toml` of its own."""

import shutil
import tempfile
from pathlib import Path
from typing import Final

from deploy.cluster.errors import RunError
from deploy.cluster.kubectl import kustomize
from deploy.cluster.run_plan import RunPlan

MANIFESTS: Final = Path(__file__).parents[2] / "k8s"
"""Beside the packages, in a checkout and where the project is installed."""
_PARTS: Final = ("base/training", "components", "overlays")
_COMPONENTS_OF_OVERLAYS: Final = "components: [../../components/training-run]\n"
_NAMESPACE_OF_OVERLAYS: Final = "namespace: spade\n"
_QUEUED: Final = """\
apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
resources: [../overlays/training-{kind}]
components: [../components/kueue]
"""


def render(plan: RunPlan) -> str:
    """Raises RunError: where there is nothing to render. ClusterError: where kubectl refuses the manifests."""
    settings = _settings(plan)
    with tempfile.TemporaryDirectory(prefix="spade-run-") as folder:
        tree = Path(folder)
        for part in _PARTS:
            shutil.copytree(MANIFESTS / part, tree / part)
        overlay = tree / "overlays" / f"training-{plan.kind}"
        shutil.copyfile(plan.config, overlay / "run.toml")
        (overlay / "run.env").write_text("".join(f"{key}={value}\n" for key, value in settings.items()))
        file = overlay / "kustomization.yaml"
        file.write_text(_completed(file.read_text(encoding="utf-8"), plan), encoding="utf-8")
        if not plan.queue:
            return kustomize(overlay)
        (tree / "queued").mkdir()  # outside the overlay, for of a JobSet no part is to be suspended but the whole
        (tree / "queued" / "kustomization.yaml").write_text(_QUEUED.format(kind=plan.kind))
        return kustomize(tree / "queued")


def nodes_and_processes(plan: RunPlan) -> tuple[int, int]:
    """As the plan says, or else its overlay. Raises RunError: where there are no overlays."""
    settings = _settings(plan)
    return int(settings["nodes"]), int(settings["processes"])


def _settings(plan: RunPlan) -> dict[str, str]:
    """The overlay's `run.env`, lines of key=value, with what the plan says instead."""
    if not MANIFESTS.is_dir():
        raise RunError(f"{MANIFESTS}: the manifests are not there; a checkout and the whole package have them")
    path = MANIFESTS / "overlays" / f"training-{plan.kind}" / "run.env"
    lines = path.read_text(encoding="utf-8").splitlines()
    return {key: value for key, _, value in (line.partition("=") for line in lines if line)} | plan.settings()


def _completed(kustomization: str, plan: RunPlan) -> str:
    """An overlay's kustomization with the components and the namespace of the plan."""
    chosen = {
        "training-run": True,
        "training-data-claim": bool(plan.claim),
        "training-results-s3": bool(plan.checkpoints),
        "rdma": plan.rdma,
    }
    lines = "".join(f"  - ../../components/{name}\n" for name, is_chosen in chosen.items() if is_chosen)
    text = kustomization.replace(_COMPONENTS_OF_OVERLAYS, f"components:\n{lines}")
    namespace = f'namespace: "{plan.namespace}"\n'  # digits alone would be a number
    text = text.replace(_NAMESPACE_OF_OVERLAYS, namespace)
    assert text.count("  - ../../components/training-run\n") == text.count(namespace) == 1
    return text
