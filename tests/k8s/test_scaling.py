"""One thing scales a Deployment, and roll-outs and drains leave enough of it."""

from collections.abc import Iterator

import pytest

from support.manifests import REMOVED, Manifest, Pod, of_kind, planted, pods, render, selects, title


def badly_scaled(manifests: list[Manifest]) -> Iterator[str]:
    scaling = of_kind(manifests, "HorizontalPodAutoscaler", "ScaledObject")
    targets = [(scaler, scaler["spec"]["scaleTargetRef"]) for scaler in scaling]
    names = [f"{target.get('kind', 'Deployment')}/{target['name']}" for _, target in targets]
    by_title = {title(manifest): manifest for manifest in manifests}
    for (scaler, _), name in zip(targets, names, strict=True):
        if name not in by_title:
            yield f"{title(scaler)}: there is no {name}"
        elif "replicas" in by_title[name]["spec"]:
            yield f"{name}: it has replicas, which {title(scaler)} changes too"
        if names.count(name) > 1:
            yield f"{name}: more than one thing scales it"
        if scaler["kind"] == "HorizontalPodAutoscaler" and scaler["spec"].get("minReplicas", 1) < 2:
            yield f"{title(scaler)}: it may scale down to fewer than 2"
        if scaler["kind"] == "ScaledObject" and scaler["spec"].get("minReplicaCount", 0) < 1:
            yield f"{title(scaler)}: without a worker nobody takes back items or delivers webhooks"


def badly_rolled(manifests: list[Manifest]) -> Iterator[str]:
    for pod in pods(manifests):
        if pod.owner["kind"] == "Deployment":
            strategy = pod.owner["spec"].get("strategy", {})
            rolling = strategy.get("rollingUpdate", {})
            recreated = strategy.get("type") == "Recreate"
            if _has_gpu(pod) and not recreated and rolling.get("maxSurge") != 0:
                yield f"{pod.name}: its roll-out wants GPUs beyond those it has"
            if not _has_gpu(pod) and _serves(pod) and rolling.get("maxUnavailable") != 0:
                yield f"{pod.name}: its roll-out takes pods away before others are ready"


def badly_kept(manifests: list[Manifest]) -> Iterator[str]:
    budgets = of_kind(manifests, "PodDisruptionBudget")
    for budget in budgets:
        if budget["spec"].get("unhealthyPodEvictionPolicy") != "AlwaysAllow":
            yield f"{title(budget)}: a pod that is not ready would keep a node from being drained"
        if "minAvailable" in budget["spec"] or budget["spec"].get("maxUnavailable") in (0, "0", "0%"):
            yield f"{title(budget)}: it could forbid every eviction; it needs a maxUnavailable above 0"
    for pod in pods(manifests):
        if pod.labels.get("app.kubernetes.io/name") in ("spade-api", "spade-worker"):
            if not any(selects(budget["spec"]["selector"], pod.labels) for budget in budgets):
                yield f"{pod.name}: no PodDisruptionBudget keeps it"
            if not pod.spec.get("topologySpreadConstraints"):
                yield f"{pod.name}: nothing spreads its pods"


def _has_gpu(pod: Pod) -> bool:
    return any("nvidia.com/gpu" in container["resources"].get("limits", {}) for container in pod.containers)


def _serves(pod: Pod) -> bool:
    return pod.labels.get("app.kubernetes.io/name") == "spade-api"


def test_one_thing_scales_a_deployment(manifests: list[Manifest]) -> None:
    assert list(badly_scaled(manifests)) == []


def test_a_roll_out_leaves_enough(manifests: list[Manifest]) -> None:
    assert list(badly_rolled(manifests)) == []


def test_a_drain_leaves_enough(manifests: list[Manifest]) -> None:
    assert list(badly_kept(manifests)) == []


@pytest.mark.parametrize(
    ("where", "path", "value", "said"),
    [
        (
            "Deployment/spade-worker",
            "/spec/replicas",
            3,
            "it has replicas, which ScaledObject/spade-worker changes too",
        ),
        ("Deployment/spade-api", "/spec/replicas", 2, "which HorizontalPodAutoscaler/spade-api changes too"),
        (
            "HorizontalPodAutoscaler/spade-api",
            "/spec/scaleTargetRef/name",
            "spade-worker",
            "more than one thing scales it",
        ),
        ("HorizontalPodAutoscaler/spade-api", "/spec/minReplicas", REMOVED, "fewer than 2"),
        ("ScaledObject/spade-worker", "/spec/scaleTargetRef/name", "worker", "there is no Deployment/worker"),
        ("ScaledObject/spade-worker", "/spec/minReplicaCount", 0, "nobody takes back items"),
    ],
)
def test_what_is_badly_scaled_is_noticed(where: str, path: str, value: object, said: str) -> None:
    assert [fault for fault in badly_scaled(planted(render("production"), where, path, value)) if said in fault]


@pytest.mark.parametrize(
    ("where", "value", "said"),
    [
        ("Deployment/spade-worker", {"type": "RollingUpdate"}, "GPUs beyond those it has"),
        ("Deployment/spade-api", {"type": "Recreate"}, "before others are ready"),
    ],
)
def test_a_bad_roll_out_is_noticed(where: str, value: object, said: str) -> None:
    assert [
        fault for fault in badly_rolled(planted(render("production"), where, "/spec/strategy", value)) if said in fault
    ]


@pytest.mark.parametrize(
    ("where", "path", "value", "said"),
    [
        ("PodDisruptionBudget/spade-api", "/spec/unhealthyPodEvictionPolicy", REMOVED, "a pod that is not ready"),
        ("PodDisruptionBudget/spade-api", "/spec/maxUnavailable", 0, "could forbid every eviction"),
        ("PodDisruptionBudget/spade-api", "/spec/selector/matchLabels", {"a": "b"}, "no PodDisruptionBudget keeps it"),
        ("Deployment/spade-worker", "/spec/template/spec/topologySpreadConstraints", [], "nothing spreads its pods"),
    ],
)
def test_a_bad_drain_is_noticed(where: str, path: str, value: object, said: str) -> None:
    assert [fault for fault in badly_kept(planted(render("production"), where, path, value)) if said in fault]
