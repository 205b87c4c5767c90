"""Training runs on a cluster: what there is of each, by the labels that its objects carry."""

from dataclasses import dataclass
from typing import Any, Final

from deploy.cluster.errors import ClusterError, RunError
from deploy.cluster.kubectl import Cluster
from deploy.cluster.run_plan import require_run_name

_OURS: Final = "app.kubernetes.io/name=spade-train"
_INSTANCE: Final = "app.kubernetes.io/instance"
_INDEX: Final = "batch.kubernetes.io/job-completion-index"
_RUNTIMES: Final = "trainingruntimes.trainer.kubeflow.org"
_WORK: Final = ("trainjobs.trainer.kubeflow.org", "jobsets.jobset.x-k8s.io", "jobs")
"""What makes pods; what makes Jobs is deleted before them, or it would make them anew."""
_PARTS: Final = (_RUNTIMES, "services", "networkpolicies", "configmaps")
"""What pods need to the end, to save what they have."""
_OF_CONTROLLERS: Final = ("trainjobs.trainer.kubeflow.org", "jobsets.jobset.x-k8s.io", _RUNTIMES)
_RESULTS: Final = "persistentvolumeclaims"
_NOT_FOR_US: Final = ("the server doesn't have a resource type", "(Forbidden)")
"""In what kubectl says of kinds that a cluster does not know or does not let this user see."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PodView:
    """A pod of a run, present or past."""

    name: str
    node: int
    """Its number in the run, from 0."""
    phase: str
    machine: str
    exit_status: int | None
    """None while it runs."""
    started: str
    """ISO 8601; empty before it has a machine."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunView:
    """A run."""

    name: str
    state: str
    """queued, waiting, running, finished or failed"""
    reason: str
    """What the cluster says of that, or what a pod that does not run yet waits for; may be empty."""
    nodes: int
    finished_nodes: int
    failed_pods: int
    """Pods that ended with an error and were replaced."""
    pods: tuple[PodView, ...]
    """By node, then by age."""


def view_run(cluster: Cluster, name: str) -> RunView:
    """Raises RunError: where there is no such run, naming those that there are."""
    job = _job(cluster, name)
    pods = cluster.objects("pods", _labels(name))
    status = job.get("status", {})
    state, reason = _state(job, pods)
    return RunView(
        name=name,
        state=state,
        reason=reason,
        nodes=job["spec"]["completions"],
        finished_nodes=status.get("succeeded", 0),
        failed_pods=status.get("failed", 0),
        pods=tuple(sorted(map(_pod_view, pods), key=lambda pod: (pod.node, pod.started))),
    )


def newest_pod(cluster: Cluster, name: str, node: int) -> PodView:
    """Of a node of a run. Raises RunError: where there is none."""
    run = view_run(cluster, name)
    if node >= run.nodes:
        raise RunError(f"node {node}: run {name} has {run.nodes} nodes; they count from 0")
    pods = [pod for pod in run.pods if pod.node == node]
    if not pods:
        raise RunError(f"node {node} of run {name} has no pod; the run is {run.state} {run.reason}".rstrip())
    return pods[-1]


def stop_run(cluster: Cluster, name: str, *, results: bool) -> str:
    """Deletes what there is of a run, with or without a Job; what it has saved stays unless `results`.

    Its pods have saved and ended before it deletes what they need for that. Returns what kubectl says.

    Raises RunError: where there is nothing to delete, naming the runs that there are.
    """
    require_run_name(name)
    work = [kind for kind in _WORK if _is_there(cluster, kind, name)]
    parts = [kind for kind in (*_PARTS, *([_RESULTS] if results else [])) if _is_there(cluster, kind, name)]
    if not work and not parts:
        raise _no_such_run(cluster, name, of_kind="configmaps")
    told = cluster.delete(work, _labels(name)) if work else ""
    if _is_there(cluster, "pods", name):  # of a Job that somebody has deleted without waiting for them
        told += cluster.delete(["pods"], _labels(name))
    return told + (cluster.delete(parts, _labels(name)) if parts else "")


def explain_refusal(error: ClusterError, name: str) -> ClusterError | RunError:
    """What a run that cannot be applied again means."""
    if "field is immutable" not in str(error):
        return error
    return RunError(f"run {name}: there is one already, of other settings; stop it first, or choose another name")


def _job(cluster: Cluster, name: str) -> dict[str, Any]:
    require_run_name(name)
    jobs = cluster.objects("jobs", _labels(name))
    if not jobs:
        raise _no_such_run(cluster, name, of_kind="jobs")
    return jobs[0]


def _is_there(cluster: Cluster, kind: str, name: str) -> bool:
    try:
        return bool(cluster.objects(kind, _labels(name)))
    except ClusterError as error:
        if kind in _OF_CONTROLLERS and any(sign in str(error) for sign in _NOT_FOR_US):
            return False  # whoever may not see such objects has started no run of them
        raise


def _no_such_run(cluster: Cluster, name: str, *, of_kind: str) -> RunError:
    others = sorted(each["metadata"]["labels"].get(_INSTANCE, "") for each in cluster.objects(of_kind, _OURS))
    return RunError(f"there is no training run {name!r}; there are: {', '.join(others) or 'none'}")


def _labels(name: str) -> str:
    return f"{_OURS},{_INSTANCE}={name}"


def _state(job: dict[str, Any], pods: list[dict[str, Any]]) -> tuple[str, str]:
    for condition in job.get("status", {}).get("conditions", []):
        if condition["status"] == "True" and condition["type"] in ("Complete", "Failed", "Suspended"):
            state = {"Complete": "finished", "Failed": "failed", "Suspended": "queued"}[condition["type"]]
            return state, condition.get("message", "") if state != "finished" else ""
    if not pods:
        return "waiting", f"it has no pod; `kubectl describe job {job['metadata']['name']}` may tell why"
    runs = any(pod["status"]["phase"] == "Running" for pod in pods)
    return "running" if runs else "waiting", next(filter(None, map(_obstacle, pods)), "")


def _obstacle(pod: dict[str, Any]) -> str:
    """What a pod waits for; empty where it runs, has ended or does not say."""
    status, name = pod["status"], pod["metadata"]["name"]
    if status["phase"] != "Pending":
        return ""
    for condition in status.get("conditions", []):
        if (condition["type"], condition["status"]) == ("PodScheduled", "False"):
            return f"{name}: {condition.get('message') or condition.get('reason', '')}"
    for container in status.get("containerStatuses", []):
        if waiting := container["state"].get("waiting"):
            return f"{name}: {': '.join(filter(None, (waiting.get('reason'), waiting.get('message'))))}"
    return ""


def _pod_view(pod: dict[str, Any]) -> PodView:
    status = pod["status"]
    ended = [
        each["state"]["terminated"] for each in status.get("containerStatuses", []) if "terminated" in each["state"]
    ]
    return PodView(
        name=pod["metadata"]["name"],
        node=int(pod["metadata"]["labels"].get(_INDEX, 0)),
        phase=status["phase"],
        machine=pod["spec"].get("nodeName", ""),
        exit_status=ended[0]["exitCode"] if ended else None,
        started=status.get("startTime", ""),
    )
