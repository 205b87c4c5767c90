"""Jobs of training: what ends them, what does not, and how their pods find one another."""

from collections.abc import Iterator

import pytest
import yaml

from support.manifests import REMOVED, Manifest, Pod, of_kind, planted, pods, render, selects

REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
JOBS = ("Job", "JobSet", "TrainingRuntime", "ClusterTrainingRuntime")
SOUND = """
apiVersion: batch/v1
kind: Job
metadata: {name: run, namespace: spade}
spec:
  completionMode: Indexed
  completions: 2
  parallelism: 2
  backoffLimit: 20
  activeDeadlineSeconds: 86400
  ttlSecondsAfterFinished: 86400
  podReplacementPolicy: Failed
  podFailurePolicy:
    rules:
      - {action: Ignore, onPodConditions: [{type: DisruptionTarget, status: "True"}]}
      - {action: FailJob, onExitCodes: {containerName: trainer, operator: In, values: [64]}}
  template:
    metadata: {labels: {app.kubernetes.io/name: run}}
    spec:
      subdomain: run
      restartPolicy: Never
      containers:
        - name: trainer
          image: spade-train:0.1.0
          resources: {limits: {nvidia.com/gpu: "8", memory: 64Gi}}
          volumeMounts: [{name: shm, mountPath: /dev/shm}]
      volumes: [{name: shm, emptyDir: {medium: Memory, sizeLimit: 16Gi}}]
---
apiVersion: v1
kind: Service
metadata: {name: run, namespace: spade}
spec: {clusterIP: None, publishNotReadyAddresses: true, selector: {app.kubernetes.io/name: run}}
"""


def unsound_jobs(manifests: list[Manifest]) -> Iterator[str]:
    for pod in pods(manifests):
        if pod.owner["kind"] in JOBS:
            job = _job_of(pod.owner, pod)
            yield from _of_failures(pod, job)
            yield from _of_nodes(manifests, pod, job)
            yield from _of_memory(pod)
            yield from _of_claims(manifests, pod, job)


def _job_of(owner: Manifest, pod: Pod) -> Manifest:
    """The specification of a Job around a template, however deep in a JobSet or a runtime it is."""

    def search(node: object) -> Manifest | None:
        if isinstance(node, dict):
            if node.get("template") is pod.template:
                return node
            node = list(node.values())
        if isinstance(node, list):
            return next(filter(None, map(search, node)), None)
        return None

    return search(owner) or {}


def _of_failures(pod: Pod, job: Manifest) -> Iterator[str]:
    policy = job.get("podFailurePolicy", {}).get("rules", [])
    if policy and pod.spec.get("restartPolicy") != "Never":
        yield f"{pod.name}: a podFailurePolicy needs restartPolicy Never"
    if policy and job.get("podReplacementPolicy") != "Failed":
        yield f"{pod.name}: a pod would be replaced while it still ends; it needs podReplacementPolicy Failed"
    if "backoffLimitPerIndex" in job:
        yield f"{pod.name}: it would go on without an index that failed; a run needs all"
    ignored = [on["type"] for rule in policy if rule["action"] == "Ignore" for on in rule.get("onPodConditions", [])]
    if "DisruptionTarget" not in ignored:
        yield f"{pod.name}: a drained node counts as a failure"
    final = [rule["onExitCodes"] for rule in policy if rule["action"] == "FailJob" and "onExitCodes" in rule]
    if not any(64 in rule["values"] and rule["operator"] == "In" for rule in final):
        yield f"{pod.name}: a configuration that cannot be used, exit code 64, would be tried again"
    names = {container["name"] for container in pod.containers}
    for rule in final:
        if rule.get("containerName", next(iter(names))) not in names:
            yield f"{pod.name}: its podFailurePolicy is about a container {rule['containerName']}, which it has not"
    for bound in ("backoffLimit", "activeDeadlineSeconds", "ttlSecondsAfterFinished"):
        if bound not in job and pod.owner["kind"] == "Job":
            yield f"{pod.name}: it has no {bound}"


def _of_nodes(manifests: list[Manifest], pod: Pod, job: Manifest) -> Iterator[str]:
    if job.get("completionMode") == "Indexed" and job.get("completions") != job.get("parallelism"):
        yield f"{pod.name}: completions and parallelism differ, so its nodes are never there together"
    if (subdomain := pod.spec.get("subdomain")) is None:
        return
    for service in of_kind(manifests, "Service"):
        spec = service["spec"]
        is_named = service["metadata"]["name"] == subdomain and spec.get("clusterIP") == "None"
        if is_named and selects({"matchLabels": spec.get("selector", {})}, pod.labels):
            if not spec.get("publishNotReadyAddresses"):
                yield f"{pod.name}: its pods find one another only once they are ready"
            return
    yield f"{pod.name}: no headless Service {subdomain} of its pods gives them their names"


def _of_memory(pod: Pod) -> Iterator[str]:
    memory = {volume["name"] for volume in pod.spec.get("volumes", []) if _is_memory(volume)}
    for container in pod.main_containers:
        at_shm = {mount["name"] for mount in container.get("volumeMounts", []) if mount["mountPath"] == "/dev/shm"}  # noqa: S108
        if "nvidia.com/gpu" in container.get("resources", {}).get("limits", {}) and not at_shm & memory:
            yield f"{pod.name}, container {container['name']}: its /dev/shm is the default of 64 MiB"


def _of_claims(manifests: list[Manifest], pod: Pod, job: Manifest) -> Iterator[str]:
    claims = {
        one["metadata"]["name"]: one["spec"]["accessModes"] for one in of_kind(manifests, "PersistentVolumeClaim")
    }
    mounted = [volume.get("persistentVolumeClaim", {}).get("claimName") for volume in pod.spec.get("volumes", [])]
    together = pod.spec.get("affinity", {}).get("podAffinity", {}).get(REQUIRED, [])
    are_together = any(
        term["topologyKey"] == "kubernetes.io/hostname" and selects(term["labelSelector"], pod.labels)
        for term in together
    )
    for claim in mounted:
        if claims.get(claim) == ["ReadWriteOnce"] and job.get("parallelism", 1) > 1 and not are_together:
            yield f"{pod.name}: its pods may be on several machines, but only one mounts the volume {claim}"


def _is_memory(volume: Manifest) -> bool:
    return (volume.get("emptyDir") or {}).get("medium") == "Memory"


def test_jobs_are_sound(manifests: list[Manifest]) -> None:
    assert list(unsound_jobs(manifests)) == []


def test_a_sound_job_is_one() -> None:
    assert list(unsound_jobs(list(yaml.safe_load_all(SOUND)))) == []


TEMPLATE = "/spec/template/spec"


@pytest.mark.parametrize(
    ("where", "path", "value", "said"),
    [
        ("Job/run", f"{TEMPLATE}/restartPolicy", "OnFailure", "a podFailurePolicy needs restartPolicy Never"),
        ("Job/run", "/spec/podReplacementPolicy", REMOVED, "needs podReplacementPolicy Failed"),
        ("Job/run", "/spec/backoffLimitPerIndex", 2, "a run needs all"),
        ("Job/run", "/spec/podFailurePolicy/rules/0/action", "Count", "a drained node counts as a failure"),
        ("Job/run", "/spec/podFailurePolicy/rules/1/onExitCodes/values", [2], "exit code 64, would be tried again"),
        ("Job/run", "/spec/podFailurePolicy/rules/1/onExitCodes/containerName", "train", "about a container train"),
        ("Job/run", "/spec/activeDeadlineSeconds", REMOVED, "it has no activeDeadlineSeconds"),
        ("Job/run", "/spec/parallelism", 1, "completions and parallelism differ"),
        ("Job/run", f"{TEMPLATE}/subdomain", "other", "no headless Service other"),
        ("Service/run", "/spec/clusterIP", REMOVED, "no headless Service run"),
        ("Service/run", "/spec/selector", {"a": "b"}, "no headless Service run"),
        ("Service/run", "/spec/publishNotReadyAddresses", REMOVED, "only once they are ready"),
        ("Job/run", f"{TEMPLATE}/volumes/0/emptyDir/medium", REMOVED, "its /dev/shm is the default"),
    ],
)
def test_an_unsound_job_is_noticed(where: str, path: str, value: object, said: str) -> None:
    faults = list(unsound_jobs(planted(list(yaml.safe_load_all(SOUND)), where, path, value)))
    assert len(faults) == 1
    assert said in faults[0]


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("", REMOVED),
        (f"/podAffinity/{REQUIRED}/0/topologyKey", "topology.kubernetes.io/zone"),
        (f"/podAffinity/{REQUIRED}/0/labelSelector/matchLabels/app.kubernetes.io~1instance", "other"),
    ],
)
def test_pods_that_may_be_apart_from_their_volume_are_noticed(path: str, value: object) -> None:
    [fault] = unsound_jobs(planted(render("training-cpu"), "Job/spade-train", f"{TEMPLATE}/affinity{path}", value))
    assert "only one mounts the volume spade-train" in fault
