"""The manifests of training runs, as the real kubectl makes them of the overlays."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import click
import pytest
import yaml
from click.testing import CliRunner

from deploy.cli import main
from deploy.cluster.commands import train
from deploy.cluster.errors import RunError
from deploy.cluster.kubectl import kustomize
from deploy.cluster.node_settings import NodeSettings
from deploy.cluster.rendering import MANIFESTS, nodes_and_processes, render
from deploy.cluster.run_plan import FAILURES_OF_A_NODE, MOST_NAME_CHARACTERS, Kind, RunPlan, require_run_name
from deploy.cluster.torchrun import EXIT_ALONE, SHUTDOWN_SECONDS, torchrun_command
from spade.training.commands import EXIT_BAD_CONFIGURATION
from support.cluster.manifest import JobManifest, PodFacts

pytestmark = pytest.mark.skipif(shutil.which("kubectl") is None, reason="there is no kubectl on PATH")

CONFIG = MANIFESTS / "overlays" / "training-multi" / "run.toml"
QUEUES = [
    document
    for path in ("kueue/queues.yaml", "rdma/queue.yaml")
    for document in yaml.safe_load_all((MANIFESTS / "components" / path).read_text(encoding="utf-8"))
]
NAMED_AFTER_THE_RUN = {"ConfigMap", "Service", "Job", "JobSet", "TrainJob", "TrainingRuntime", "NetworkPolicy"}


def rendered(kind: Kind = Kind.MULTI, **values: Any) -> list[dict[str, Any]]:
    plan = RunPlan(**{"name": "run1", "config": CONFIG, "kind": kind, "namespace": "spade", **values})
    return list(yaml.safe_load_all(render(plan)))


def one(objects: list[dict[str, Any]], kind: str) -> dict[str, Any]:
    found = [each for each in objects if each["kind"] == kind]
    assert len(found) == 1, f"{kind}: {[each['kind'] for each in objects]}"
    return found[0]


def environment(objects: list[dict[str, Any]]) -> dict[str, str]:
    """What node 0 is told."""
    by_jobset = not any(each["kind"] == "Job" for each in objects)
    labels = {
        "batch.kubernetes.io/job-name": "run1-node-0" if by_jobset else "run1",
        "batch.kubernetes.io/controller-uid": "uid",
        "jobset.sigs.k8s.io/jobset-name": "run1",
    }
    secrets = dict.fromkeys(("SPADE_S3_ENDPOINT", "SPADE_S3_ACCESS_KEY", "SPADE_S3_SECRET_KEY"), "told")
    return JobManifest.among(objects).environment(PodFacts(index=0, address="10.0.0.7", labels=labels, secrets=secrets))


def amount_of(text: str) -> float:
    """Of a resource, as manifests write it."""
    number, unit = text.rstrip("mGTi"), text.lstrip("0123456789")
    return int(number) * {"": 1, "m": 1e-3, "Gi": 2**30, "Ti": 2**40}[unit]


@pytest.mark.parametrize("kind", list(Kind))
def test_everything_is_named_after_the_run(kind: Kind) -> None:
    objects = rendered(kind, namespace="elsewhere")
    assert {each["metadata"]["name"] for each in objects} == {"run1"}
    assert {each["metadata"]["namespace"] for each in objects} == {"elsewhere"}
    assert {each["kind"] for each in objects} <= NAMED_AFTER_THE_RUN | {"PersistentVolumeClaim"}
    selected = {"app.kubernetes.io/name": "spade-train", "app.kubernetes.io/instance": "run1"}
    assert [each["kind"] for each in objects if not selected.items() <= each["metadata"]["labels"].items()] == []
    pod = JobManifest.among(objects).spec["template"]
    assert pod["metadata"]["labels"]["app.kubernetes.io/instance"] == "run1"
    volumes = {volume["name"]: volume for volume in pod["spec"]["volumes"]}
    assert volumes["config"]["configMap"]["name"] == "run1"
    assert volumes["results"]["persistentVolumeClaim"]["claimName"] == "run1"
    assert "spade-train" not in str([each["spec"] for each in objects if each["kind"] != "ConfigMap"]).replace(
        "spade-train:", ""
    ).replace("'app.kubernetes.io/name': 'spade-train'", "")


@pytest.mark.parametrize("namespace", ["123", "0x1f", "null"])
def test_a_namespace_may_look_like_a_number(namespace: str) -> None:
    assert {each["metadata"]["namespace"] for each in rendered(namespace=namespace)} == {namespace}


def test_the_command_tells_the_defaults_of_the_overlays() -> None:
    told = {option.name: option.show_default for option in train.params if isinstance(option, click.Option)}
    plans = {kind: RunPlan(name="run1", config=CONFIG, kind=kind, namespace="spade") for kind in Kind}
    by_kind = {kind: nodes_and_processes(plan) for kind, plan in plans.items()}
    assert told["nodes"] == "2; single: 1"
    assert {kind: nodes for kind, (nodes, _) in by_kind.items() if nodes != 2} == {Kind.SINGLE: 1}
    assert told["processes"] == "8; cpu: 1"
    assert {kind: processes for kind, (_, processes) in by_kind.items() if processes != 8} == {Kind.CPU: 1}


def test_without_its_manifests_the_command_says_where_they_should_be(tmp_path: Path) -> None:
    for package in ("api", "workers", "model_store", "spade", "deploy"):
        (tmp_path / package).symlink_to(MANIFESTS.parent / package)
    code = "from deploy.cli import main; main()"
    command = [sys.executable, "-c", code, "k8s", "train", "--name", "run1", "--config", CONFIG]
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.stderr == (
        f"Error: {tmp_path / 'k8s'}: the manifests are not there; a checkout and the whole package have them\n"
    )


@pytest.mark.parametrize("kind", list(Kind))
def test_a_node_is_told_all_that_it_needs(kind: Kind) -> None:
    told = environment(rendered(kind, processes=3, model="run1@1"))
    node = NodeSettings.from_environment(told)
    first = "run1-node-0-0" if kind in (Kind.JOBSET, Kind.TRAINER) else "run1-0"
    assert (node.processes, node.rendezvous) == (3, f"{first}.run1:29400")
    assert (node.run_id, node.address) == ("uid", "10.0.0.7")
    assert (node.model, node.checkpoints, str(node.config)) == ("run1@1", "/results/checkpoints", "/config/run.toml")


@pytest.mark.parametrize("kind", [Kind.MULTI, Kind.JOBSET, Kind.TRAINER])
def test_nodes_and_gpus_stand_in_all_their_places(kind: Kind) -> None:
    objects = rendered(kind, nodes=5, processes=4, image="registry.example/spade-train:7")
    spec = JobManifest.among(objects).spec
    assert (spec["completions"], spec["parallelism"], spec["completionMode"]) == (5, 5, "Indexed")
    assert spec["backoffLimit"] == 5 * FAILURES_OF_A_NODE
    container = spec["template"]["spec"]["containers"][0]
    assert container["image"] == "registry.example/spade-train:7"
    for which in ("requests", "limits"):
        assert container["resources"][which]["nvidia.com/gpu"] == "4"
    assert environment(objects)["SPADE_TRAIN_NODES"] == "5"
    if kind is Kind.TRAINER:
        assert one(objects, "TrainJob")["spec"]["trainer"]["numNodes"] == 5
        assert one(objects, "TrainingRuntime")["spec"]["mlPolicy"]["numNodes"] == 5


def test_exit_statuses_and_times_are_those_of_the_code() -> None:
    spec = JobManifest.among(rendered()).spec
    ignored, alone, failed = spec["podFailurePolicy"]["rules"]
    assert ignored["onPodConditions"] == [{"type": "DisruptionTarget", "status": "True"}]
    container = spec["template"]["spec"]["containers"][0]
    assert [rule["action"] for rule in (ignored, alone, failed)] == ["Ignore", "Ignore", "FailJob"]
    for rule, status in ((alone, EXIT_ALONE), (failed, EXIT_BAD_CONFIGURATION)):
        assert rule["onExitCodes"] == {"containerName": container["name"], "operator": "In", "values": [status]}
    assert spec["template"]["spec"]["terminationGracePeriodSeconds"] > SHUTDOWN_SECONDS
    assert container["command"] == ["python", "-m", "deploy.cluster.node"]


@pytest.mark.parametrize("kind", list(Kind))
def test_as_many_pods_may_fail_as_there_are_nodes_to_fail_together(kind: Kind) -> None:
    spec = JobManifest.among(rendered(kind)).spec
    assert spec["backoffLimit"] == spec["completions"] * FAILURES_OF_A_NODE


@pytest.mark.parametrize("kind", list(Kind))
def test_a_run_is_on_the_device_that_it_asks_for(kind: Kind) -> None:
    objects = rendered(kind)
    container = JobManifest.among(objects).container
    node = NodeSettings.from_environment({**environment(objects), "JOB_COMPLETION_INDEX": "0"})
    device = "cuda" if "nvidia.com/gpu" in container["resources"]["requests"] else "cpu"
    assert (device == "cpu") == (kind is Kind.CPU)
    assert container["image"].endswith("-cuda") == (device == "cuda")
    command = torchrun_command(node)
    assert command[command.index("--device") + 1] == device


def test_the_pods_reach_one_another_at_the_service() -> None:
    objects = rendered()
    service, spec = one(objects, "Service"), JobManifest.among(objects).spec["template"]
    assert spec["spec"]["subdomain"] == service["metadata"]["name"]
    assert service["spec"]["clusterIP"] == "None"
    assert service["spec"]["selector"].items() <= spec["metadata"]["labels"].items()
    policy = one(objects, "NetworkPolicy")["spec"]
    own = policy["podSelector"]["matchLabels"]
    assert own.items() <= spec["metadata"]["labels"].items()
    assert policy["ingress"][0]["from"] == policy["egress"][0]["to"] == [{"podSelector": {"matchLabels": own}}]


def test_a_dataset_on_a_volume_is_mounted() -> None:
    objects = rendered(Kind.CPU, data="claim:coco")
    volumes = {volume["name"]: volume for volume in JobManifest.among(objects).pod_spec["volumes"]}
    assert volumes["data"] == {"name": "data", "persistentVolumeClaim": {"claimName": "coco", "readOnly": True}}
    assert environment(objects)["SPADE_TRAIN_DATA"] == "/data"


@pytest.mark.parametrize("kind", list(Kind))
def test_checkpoints_in_the_object_store_need_no_volume(kind: Kind) -> None:
    objects = rendered(kind, checkpoints="s3://spade/runs/run1")
    assert "PersistentVolumeClaim" not in {each["kind"] for each in objects}
    volumes = {volume["name"]: volume for volume in JobManifest.among(objects).pod_spec["volumes"]}
    assert volumes["results"].keys() == {"name", "emptyDir"}
    assert environment(objects)["SPADE_TRAIN_CHECKPOINTS"] == "s3://spade/runs/run1"


@pytest.mark.parametrize(
    ("kind", "object_kind"), [(Kind.MULTI, "Job"), (Kind.JOBSET, "JobSet"), (Kind.TRAINER, "TrainJob")]
)
def test_a_queued_run_is_suspended_as_a_whole(kind: Kind, object_kind: str) -> None:
    objects = rendered(kind, queue=True)
    queued = one(objects, object_kind)
    assert queued["metadata"]["labels"]["kueue.x-k8s.io/queue-name"] == "spade-train"
    assert queued["spec"]["suspend"] is True
    if kind is not Kind.MULTI:
        assert "suspend" not in JobManifest.among(objects).spec


@pytest.mark.parametrize("kind", list(Kind))
def test_the_queue_covers_all_that_a_run_asks_for_and_has_it(kind: Kind) -> None:
    [cluster_queue] = [each for each in QUEUES if each["kind"] == "ClusterQueue"]
    [group] = cluster_queue["spec"]["resourceGroups"]
    [flavor] = group["flavors"]
    assert [quota["name"] for quota in flavor["resources"]] == group["coveredResources"]
    quotas = {quota["name"]: amount_of(quota["nominalQuota"]) for quota in flavor["resources"]}
    spec = JobManifest.among(rendered(kind, queue=True, rdma=kind is not Kind.CPU, namespace="spade-rdma")).spec
    for name, amount in spec["template"]["spec"]["containers"][0]["resources"]["requests"].items():
        assert name in quotas, "a run that asks for what the queue does not cover waits for ever"
        assert spec["completions"] * amount_of(amount) <= quotas[name], name


@pytest.mark.parametrize("namespace", ["spade", "spade-rdma"])
def test_runs_of_both_namespaces_have_a_way_into_the_queue(namespace: str) -> None:
    queued = one(rendered(queue=True, namespace=namespace), "Job")
    name = queued["metadata"]["labels"]["kueue.x-k8s.io/queue-name"]
    [cluster_queue] = [each for each in QUEUES if each["kind"] == "ClusterQueue"]
    [local] = [each for each in QUEUES if each["kind"] == "LocalQueue" and each["metadata"]["namespace"] == namespace]
    assert (local["metadata"]["name"], local["spec"]["clusterQueue"]) == (name, cluster_queue["metadata"]["name"])
    [admitted] = cluster_queue["spec"]["namespaceSelector"]["matchExpressions"]
    assert namespace in admitted["values"]


@pytest.mark.parametrize("kind", [Kind.MULTI, Kind.JOBSET])
def test_rdma_lets_pods_lock_memory_and_no_more(kind: Kind) -> None:
    container = JobManifest.among(rendered(kind, rdma=True, namespace="spade-rdma")).container
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "capabilities": {"add": ["IPC_LOCK"], "drop": ["ALL"]},
        "readOnlyRootFilesystem": True,
        "runAsNonRoot": False,
        "runAsUser": 0,
    }
    assert container["resources"]["limits"]["rdma/hca"] == "1"
    plain = JobManifest.among(rendered(kind)).container
    assert plain["securityContext"].keys() == {"allowPrivilegeEscalation", "capabilities", "readOnlyRootFilesystem"}
    assert plain["securityContext"]["capabilities"] == {"drop": ["ALL"]}


def test_the_command_prints_what_is_to_be_applied(tmp_path: Path) -> None:
    config = tmp_path / "own.toml"
    config.write_text('batch_size = 16\n[dataset]\nmode = "scenes"\n')
    command = ["k8s", "train", "--name", "run1", "--config", str(config), "--nodes", "1", "--data", "s3://spade/d"]
    result = CliRunner().invoke(main, command)
    assert result.exit_code == 0, result.output
    objects = list(yaml.safe_load_all(result.output))
    assert one(objects, "ConfigMap")["data"]["run.toml"] == config.read_text()
    assert one(objects, "PersistentVolumeClaim")["spec"]["accessModes"] == ["ReadWriteOnce"], "one node is kind single"
    assert environment(objects)["SPADE_TRAIN_MODEL"] == "run1@1"
    assert environment(objects)["SPADE_TRAIN_DATA"] == "s3://spade/d"


@pytest.mark.parametrize("overlay", ["dev", "production"])
def test_no_run_can_take_the_name_of_what_serves(overlay: str) -> None:
    for each in yaml.safe_load_all(kustomize(MANIFESTS / "overlays" / overlay)):
        if each["kind"] in NAMED_AFTER_THE_RUN:
            with pytest.raises(RunError, match="what serves is called spade-"):
                require_run_name(each["metadata"]["name"])


@pytest.mark.parametrize("name", ["spade-train", "spade-train-2", "spade", "spades-1"])
def test_names_that_nothing_that_serves_has_may_be_taken(name: str) -> None:
    require_run_name(name)


def test_the_longest_name_leaves_room_for_what_a_jobset_adds() -> None:
    assert len(f"{'r' * MOST_NAME_CHARACTERS}-node-0-999-abcde") == 63
