"""The manifests of a run: an overlay of `k8s/overlays` with a `run.env` and a `run.toml` of its own."""

import re
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
_NAMESPACE: Final = re.compile(r"^namespace:.*$", re.MULTILINE)
_COMPONENTS: Final = re.compile(r"^components: *\[([^]]*)\]", re.MULTILINE)
_NEEDED: Final = "../../components/training-run"
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
        (overlay / "run.env").write_text(
            "".join(f"{key}={value}\n" for key, value in settings.items()), encoding="utf-8"
        )
        file = overlay / "kustomization.yaml"
        told = MANIFESTS / file.relative_to(tree)
        file.write_text(completed(file.read_text(encoding="utf-8"), plan, where=told), encoding="utf-8")
        if not plan.queue:
            return kustomize(overlay)
        (tree / "queued").mkdir()  # outside the overlay, for of a JobSet no part is to be suspended but the whole
        (tree / "queued" / "kustomization.yaml").write_text(_QUEUED.format(kind=plan.kind), encoding="utf-8")
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


def completed(kustomization: str, plan: RunPlan, *, where: Path) -> str:
    """An overlay's kustomization with the namespace of the plan, and its components besides those that it has.

    Raises RunError: where it lacks the lines in which they belong; `where` it is.
    """
    chosen = {"training-data-claim": bool(plan.claim), "training-results-s3": bool(plan.checkpoints), "rdma": plan.rdma}
    added = [f"../../components/{name}" for name, is_chosen in chosen.items() if is_chosen]
    namespaces, components = _NAMESPACE.findall(kustomization), _COMPONENTS.findall(kustomization)
    had = [name.strip() for listed in components for name in listed.split(",")]
    if len(namespaces) != 1 or len(components) != 1 or _NEEDED not in had:
        raise RunError(
            f"{where}: a run puts its namespace and components into it, for which it must have one line "
            f"`namespace: spade` and one line `components: [{_NEEDED}]`, to which others may be added"
        )
    every = ", ".join(dict.fromkeys([*filter(None, had), *added]))
    # Quoted, for digits alone would be a number.
    text = _NAMESPACE.sub(lambda _: f'namespace: "{plan.namespace}"', kustomization)
    return _COMPONENTS.sub(lambda _: f"components: [{every}]", text)
