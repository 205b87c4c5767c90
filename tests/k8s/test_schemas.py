"""Every manifest is of its kind's schema, no field unknown, for the oldest, a middle and the newest server."""

import json
from collections.abc import Iterator
from functools import cache
from typing import Any, Final

import jsonschema
import kubernetes_validate
import pytest
import yaml
from cloudcoil.models.keda.v1alpha1 import ScaledObject
from cloudcoil.models.prometheus_operator.v1 import PodMonitor, PrometheusRule, ServiceMonitor
from kubeflow_trainer_api.models import (
    JobsetV1alpha2JobSet,
    TrainerV1alpha1ClusterTrainingRuntime,
    TrainerV1alpha1TrainingRuntime,
    TrainerV1alpha1TrainJob,
)
from pydantic import BaseModel, ValidationError

from support.kueue import ClusterQueue, LocalQueue, ResourceFlavor
from support.manifests import K8S, ROOT, Manifest, planted, pods, render, title

SERVERS: Final = ("1.31", "1.34", "1.37")
MODELS: Final[dict[tuple[str, str], type[BaseModel]]] = {
    ("jobset.x-k8s.io/v1alpha2", "JobSet"): JobsetV1alpha2JobSet,
    ("keda.sh/v1alpha1", "ScaledObject"): ScaledObject,
    ("kueue.x-k8s.io/v1beta2", "ClusterQueue"): ClusterQueue,
    ("kueue.x-k8s.io/v1beta2", "LocalQueue"): LocalQueue,
    ("kueue.x-k8s.io/v1beta2", "ResourceFlavor"): ResourceFlavor,
    ("monitoring.coreos.com/v1", "PodMonitor"): PodMonitor,
    ("monitoring.coreos.com/v1", "PrometheusRule"): PrometheusRule,
    ("monitoring.coreos.com/v1", "ServiceMonitor"): ServiceMonitor,
    ("trainer.kubeflow.org/v1alpha1", "ClusterTrainingRuntime"): TrainerV1alpha1ClusterTrainingRuntime,
    ("trainer.kubeflow.org/v1alpha1", "TrainingRuntime"): TrainerV1alpha1TrainingRuntime,
    ("trainer.kubeflow.org/v1alpha1", "TrainJob"): TrainerV1alpha1TrainJob,
}
DEFINITIONS: Final = ROOT.parent / "shared" / "crds"
"""Definitions of custom resources, as their projects publish them. Not part of this repository: where they are not
beside it, the models alone are asked."""
CUSTOM_GROUPS: Final = {
    *("jobset.x-k8s.io", "keda.sh", "kueue.x-k8s.io", "monitoring.coreos.com", "trainer.kubeflow.org"),
}


def is_custom(manifest: Manifest) -> bool:
    return manifest["apiVersion"].split("/")[0] in CUSTOM_GROUPS


def against_servers(manifests: list[Manifest]) -> Iterator[str]:
    """Of custom resources the pods, which their definitions know too, but with the servers' older fields."""
    for manifest in manifests:
        if not is_custom(manifest):
            yield from _against_servers(json.dumps(manifest))
    for pod in pods(manifests):
        if is_custom(pod.owner):
            named = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": pod.name}, "spec": pod.spec}
            yield from _against_servers(json.dumps(named))


@cache
def _against_servers(text: str) -> tuple[str, ...]:
    """A manifest that several overlays have alike is looked at once."""
    manifest, faults = json.loads(text), []
    for server in SERVERS:
        try:
            assert kubernetes_validate.validate(manifest, server, strict=True) == server
        except kubernetes_validate.ValidationError as error:
            faults.append(f"{title(manifest)}: {server}: {'.'.join(map(str, error.path))}: {error.message}")
        except kubernetes_validate.SchemaNotFoundError as error:
            faults.append(f"{title(manifest)}: {server}: {error.message}")
    return tuple(faults)


def against_models(manifests: list[Manifest]) -> Iterator[str]:
    """The models drop what they do not know without a word, so what comes out has to be what went in."""
    for manifest in manifests:
        if not is_custom(manifest):
            continue
        model = MODELS.get((manifest["apiVersion"], manifest["kind"]))
        if model is None:
            yield f"{title(manifest)}: no model is at hand for {manifest['apiVersion']}"
            continue
        known = _without_quantities(manifest)
        try:
            read = model.model_validate(known)
        except ValidationError as error:
            yield f"{title(manifest)}: {error.errors()[0]['loc']}: {error.errors()[0]['msg']}"
        else:
            if json.loads(read.model_dump_json(by_alias=True, exclude_unset=True)) != known:
                yield f"{title(manifest)}: {model.__name__} does not know all of its fields"


def _without_quantities(node: Any) -> Any:
    """The model of a quantity of kubeflow-trainer-api takes no text; those of pods are checked against servers."""
    if isinstance(node, dict):
        kept = node.keys() - {"requests", "limits", "sizeLimit"}
        return {name: _without_quantities(value) for name, value in node.items() if name in kept}
    return [_without_quantities(one) for one in node] if isinstance(node, list) else node


def against_definitions(manifests: list[Manifest]) -> Iterator[str]:
    for manifest in manifests:
        if is_custom(manifest):
            schema = _schemas().get((manifest["apiVersion"], manifest["kind"]))
            if schema is None:
                yield f"{title(manifest)}: no definition is at hand for {manifest['apiVersion']}"
                continue
            for error in jsonschema.Draft202012Validator(schema).iter_errors(manifest):
                yield f"{title(manifest)}: {'.'.join(map(str, error.path))}: {error.message}"


@cache
def _schemas() -> dict[tuple[str, str], dict[str, Any]]:
    found = {}
    for path in sorted(DEFINITIONS.glob("*.yaml")):
        spec = yaml.load(path.read_text(), yaml.CSafeLoader)["spec"]
        for version in spec["versions"]:
            schema = _closed(version["schema"]["openAPIV3Schema"])
            found[f"{spec['group']}/{version['name']}", spec["names"]["kind"]] = schema
    return found


def _closed(schema: Any) -> Any:
    """The same without room for unknown fields, which a server drops."""
    if isinstance(schema, list):
        return [_closed(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    closed = {name: _closed(value) for name, value in schema.items()}
    if isinstance(schema.get("properties"), dict) and not schema.get("x-kubernetes-preserve-unknown-fields"):
        closed.setdefault("additionalProperties", False)
    if "metadata" in schema.get("properties", {}) and schema["properties"]["metadata"] == {"type": "object"}:
        closed["properties"]["metadata"] = {"type": "object"}
    return closed


needs_definitions = pytest.mark.skipif(
    not DEFINITIONS.exists(), reason=f"there are no definitions of custom resources in {DEFINITIONS}"
)


def test_servers_know_every_field(manifests: list[Manifest]) -> None:
    assert list(against_servers(manifests)) == []


def test_models_of_custom_resources_know_every_field(manifests: list[Manifest]) -> None:
    assert list(against_models(manifests)) == []


@needs_definitions
def test_definitions_of_custom_resources_know_every_field(manifests: list[Manifest]) -> None:
    assert list(against_definitions(manifests)) == []


@pytest.mark.parametrize(
    ("where", "path", "value", "said"),
    [
        ("Deployment/spade-api", "/spec/replica", 2, "'replica' was unexpected"),
        ("Deployment/spade-api", "/spec/template/spec/containers/0/ports/0/containerPort", "http", "is not of type"),
        ("Service/spade-api", "/kind", "Servce", "Couldn't find schema"),
    ],
)
def test_a_server_would_notice(where: str, path: str, value: object, said: str) -> None:
    faults = list(against_servers(planted(render("production"), where, path, value)))
    assert len([fault for fault in faults if said in fault]) == len(SERVERS)


JOB = "/spec/replicatedJobs/0/template/spec"
PLANTED_IN_CUSTOM = pytest.mark.parametrize(
    ("overlay", "where", "path", "value"),
    [
        ("production", "ScaledObject/spade-worker", "/spec/minReplicas", 1),
        ("production", "ScaledObject/spade-worker", "/spec/maxReplicaCount", "many"),
        ("production", "ServiceMonitor/spade-api", "/spec/endpoint", []),
        ("production", "PodMonitor/spade-worker", "/spec/podMetricsEndpoints/0/every", "15s"),
        ("production", "PrometheusRule/spade", "/spec/groups/0/rules/0/severity", "critical"),
        ("training-jobset", "JobSet/spade-train", "/spec/network/subdomains", "run"),
        ("training-jobset", "JobSet/spade-train", f"{JOB}/backoffLimits", 1),
        ("training-jobset", "JobSet/spade-train", f"{JOB}/completions", "two"),
    ],
)


@PLANTED_IN_CUSTOM
def test_a_model_notices(overlay: str, where: str, path: str, value: object) -> None:
    assert [fault for fault in against_models(planted(render(overlay), where, path, value)) if where in fault]


@PLANTED_IN_CUSTOM
@needs_definitions
def test_a_definition_notices(overlay: str, where: str, path: str, value: object) -> None:
    assert [fault for fault in against_definitions(planted(render(overlay), where, path, value)) if where in fault]


def test_queues_are_as_kueue_has_them() -> None:
    queues = list(yaml.safe_load_all((K8S / "components" / "kueue" / "queues.yaml").read_text()))
    assert list(against_models(queues)) == []
    assert list(against_models(planted(queues, "ClusterQueue/spade-train", "/spec/resourceGroups/0/flavor", [])))


def test_a_kind_that_nothing_checks_is_noticed() -> None:
    cohort = {"apiVersion": "kueue.x-k8s.io/v1beta2", "kind": "Cohort", "metadata": {"name": "training"}}
    assert list(against_models([cohort])) == ["Cohort/training: no model is at hand for kueue.x-k8s.io/v1beta2"]
