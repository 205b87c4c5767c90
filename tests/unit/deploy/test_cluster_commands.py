"""`spade-serve k8s` and what kubectl answers: a program in its place notes what it is asked and answers from a file."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from deploy.cli import main
from deploy.cluster.rendering import MANIFESTS

CONFIG = MANIFESTS / "overlays" / "training-cpu" / "run.toml"
STAND_IN = """#!/usr/bin/env python3
import json, pathlib, sys
folder = pathlib.Path(__file__).parent
with (folder / "asked.jsonl").open("a") as asked:
    given = sys.stdin.read() if "apply" in sys.argv else ""
    asked.write(json.dumps({"arguments": sys.argv[1:], "given": given}) + "\\n")
answers = json.loads((folder / "answers.json").read_text())
for words, (status, text) in answers.items():
    if set(words.split()) <= set(sys.argv):
        print(text, file=sys.stderr if status else sys.stdout)
        sys.exit(status)
sys.exit("unexpected: " + " ".join(sys.argv))
"""
JOB: dict[str, Any] = {
    "metadata": {"name": "run1", "labels": {"app.kubernetes.io/instance": "run1"}},
    "spec": {"completions": 2},
    "status": {"active": 2, "failed": 1},
}


def pod(name: str, node: int, phase: str, started: str, exit_status: int | None = None) -> dict[str, Any]:
    state = {"running": {}} if exit_status is None else {"terminated": {"exitCode": exit_status}}
    return {
        "metadata": {"name": name, "labels": {"batch.kubernetes.io/job-completion-index": str(node)}},
        "spec": {"nodeName": f"machine-{node}"},
        "status": {"phase": phase, "startTime": started, "containerStatuses": [{"state": state}]},
    }


PODS = [
    pod("run1-0-new", 0, "Running", "2026-01-02T00:00:00Z"),
    pod("run1-0-old", 0, "Failed", "2026-01-01T00:00:00Z", 75),
    pod("run1-1-a", 1, "Running", "2026-01-01T00:00:00Z"),
]


def items(*objects: dict[str, Any]) -> tuple[int, str]:
    return 0, json.dumps({"items": objects})


class StandIn:
    def __init__(self, folder: Path) -> None:
        self._folder = folder
        program = folder / "kubectl"
        program.write_text(STAND_IN)
        program.chmod(0o755)

    def answers(self, **by_words: tuple[int, str]) -> None:
        """Exit status and text, for a command with the words that `_` divides; the first that fits."""
        told = {words.replace("_", " "): answer for words, answer in by_words.items()}
        (self._folder / "answers.json").write_text(json.dumps(told))

    @property
    def asked(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in (self._folder / "asked.jsonl").read_text().splitlines()]


@pytest.fixture
def kubectl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StandIn:
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    return StandIn(tmp_path)


@pytest.fixture
def k8s() -> Callable[..., Result]:
    return lambda *arguments: CliRunner().invoke(main, ["k8s", *map(str, arguments)])


def line_of(result: Result) -> str:
    assert result.exit_code == 1, result.output
    return result.stderr.removeprefix("Error: ").removesuffix("\n")


def test_status_tells_of_the_run_and_of_its_pods(kubectl: StandIn, k8s: Callable[..., Result]) -> None:
    kubectl.answers(get_jobs=items(JOB), get_pods=items(*PODS))
    result = k8s("status", "run1", "--namespace", "mine")
    assert result.output.splitlines()[:2] == ["run1: running", "0 of 2 nodes finished, 1 pods failed"]
    rows = [line.split() for line in result.output.splitlines()[3:]]
    assert [row[:4] for row in rows if row[1] == "run1-0-old"] == [["0", "run1-0-old", "Failed", "75"]]
    assert [row[1] for row in rows] == ["run1-0-old", "run1-0-new", "run1-1-a"]
    selector = "app.kubernetes.io/name=spade-train,app.kubernetes.io/instance=run1"
    assert kubectl.asked[0]["arguments"] == [
        *("--namespace", "mine", "get", "jobs", "--selector", selector, "--output", "json"),
    ]


@pytest.mark.parametrize(
    ("condition", "told"),
    [
        ({"type": "Complete", "status": "True", "message": "all done"}, "run1: finished"),
        ({"type": "Failed", "status": "True", "message": "exit code 64"}, "run1: failed, exit code 64"),
        ({"type": "Suspended", "status": "True", "message": "Job suspended"}, "run1: queued, Job suspended"),
        ({"type": "Suspended", "status": "False", "message": "Job resumed"}, "run1: running"),
    ],
)
def test_status_tells_how_the_job_is(
    kubectl: StandIn, k8s: Callable[..., Result], condition: dict[str, str], told: str
) -> None:
    kubectl.answers(get_jobs=items(JOB | {"status": {"conditions": [condition]}}), get_pods=items(*PODS))
    assert k8s("status", "run1").output.splitlines()[0] == told
    assert json.loads(k8s("status", "run1", "--json").output)["state"] == told.split()[1].strip(",")


UNSCHEDULED = {
    "phase": "Pending",
    "conditions": [{"type": "PodScheduled", "status": "False", "message": "0/3 nodes: Insufficient nvidia.com/gpu."}],
}
WITHOUT_IMAGE = {
    "phase": "Pending",
    "conditions": [{"type": "PodScheduled", "status": "True"}],
    "containerStatuses": [{"state": {"waiting": {"reason": "ImagePullBackOff", "message": "no such tag"}}}],
}


@pytest.mark.parametrize(
    ("status", "others", "told"),
    [
        (UNSCHEDULED, [], "waiting, run1-1-b: 0/3 nodes: Insufficient nvidia.com/gpu."),
        (WITHOUT_IMAGE, [], "waiting, run1-1-b: ImagePullBackOff: no such tag"),
        ({"phase": "Pending"}, PODS[1:2], "waiting"),
        (UNSCHEDULED, PODS, "running, run1-1-b: 0/3 nodes: Insufficient nvidia.com/gpu."),
    ],
)
def test_status_tells_what_pods_that_do_not_run_wait_for(
    kubectl: StandIn, k8s: Callable[..., Result], status: dict[str, Any], others: list[dict[str, Any]], told: str
) -> None:
    waiting = pod("run1-1-b", 1, "Pending", "") | {"status": status}
    kubectl.answers(get_jobs=items(JOB), get_pods=items(*others, waiting))
    assert k8s("status", "run1").output.splitlines()[0] == f"run1: {told}"


def test_status_says_who_may_know_why_there_is_no_pod(kubectl: StandIn, k8s: Callable[..., Result]) -> None:
    kubectl.answers(get_jobs=items(JOB), get_pods=items())
    told = k8s("status", "run1").output.splitlines()[0]
    assert told == "run1: waiting, it has no pod; `kubectl describe job run1` may tell why"


def test_logs_are_of_the_newest_pod_of_the_node(
    kubectl: StandIn, k8s: Callable[..., Result], capfd: pytest.CaptureFixture[str]
) -> None:
    kubectl.answers(get_jobs=items(JOB), get_pods=items(*PODS), logs=(0, "epoch 1"))
    assert k8s("logs", "run1", "--follow").exit_code == 0
    assert capfd.readouterr().out == "epoch 1\n"
    assert kubectl.asked[-1]["arguments"] == ["--namespace", "spade", "logs", "run1-0-new", "--follow"]
    assert line_of(k8s("logs", "run1", "--node", 2)) == "node 2: run run1 has 2 nodes; they count from 0"
    kubectl.answers(get_jobs=items(JOB), get_pods=items(PODS[0]))
    assert line_of(k8s("logs", "run1", "--node", 1)) == "node 1 of run run1 has no pod; the run is running"


PARTS = ("jobs", "services", "networkpolicies", "configmaps")
UNKNOWN = (1, 'error: the server doesn\'t have a resource type "jobsets"')
FORBIDDEN = (1, "Error from server (Forbidden): trainjobs.trainer.kubeflow.org is forbidden")
CONTROLLERS = {
    "get_trainjobs.trainer.kubeflow.org": FORBIDDEN,
    "get_trainingruntimes.trainer.kubeflow.org": UNKNOWN,
    "get_jobsets.jobset.x-k8s.io": UNKNOWN,
}


@pytest.mark.parametrize(
    ("there", "deleted"),
    [
        (PARTS, ["jobs", "services,networkpolicies,configmaps"]),
        (PARTS[1:], ["services,networkpolicies,configmaps"]),
        (("jobsets.jobset.x-k8s.io", "configmaps"), ["jobsets.jobset.x-k8s.io", "configmaps"]),
        (
            ("trainjobs.trainer.kubeflow.org", "trainingruntimes.trainer.kubeflow.org", *PARTS),
            [
                "trainjobs.trainer.kubeflow.org,jobs",
                "trainingruntimes.trainer.kubeflow.org,services,networkpolicies,configmaps",
            ],
        ),
        (("pods", *PARTS[1:]), ["pods", "services,networkpolicies,configmaps"]),
    ],
    ids=["a job", "what a job leaves", "a job set without a job", "a train job", "pods without a job"],
)
def test_stop_deletes_what_there_is_of_the_run_but_not_its_results(
    kubectl: StandIn, k8s: Callable[..., Result], there: tuple[str, ...], deleted: list[str]
) -> None:
    found = {f"get_{kind}": items(JOB) for kind in (*there, "persistentvolumeclaims")}
    kubectl.answers(**CONTROLLERS | found, get=items(), delete=(0, "deleted"))
    selector = "app.kubernetes.io/name=spade-train,app.kubernetes.io/instance=run1"
    waiting_for_all = ["--selector", selector, "--ignore-not-found", "--cascade=foreground"]
    assert k8s("stop", "run1").output == "deleted\n" * len(deleted)
    asked = [told["arguments"][2:] for told in kubectl.asked if "delete" in told["arguments"]]
    assert asked == [["delete", kinds, *waiting_for_all] for kinds in deleted], "one after the other"
    assert k8s("stop", "run1", "--results").output == "deleted\n" * len(deleted)
    assert kubectl.asked[-1]["arguments"][3] == f"{deleted[-1]},persistentvolumeclaims"


def test_the_volume_that_a_run_has_left_can_be_deleted_later(kubectl: StandIn, k8s: Callable[..., Result]) -> None:
    kubectl.answers(get_persistentvolumeclaims=items(JOB), **CONTROLLERS, get=items(), delete=(0, "deleted"))
    assert line_of(k8s("stop", "run1")) == "there is no training run 'run1'; there are: none"
    assert k8s("stop", "run1", "--results").output == "deleted\n"
    assert kubectl.asked[-1]["arguments"][3] == "persistentvolumeclaims"


def test_stop_tells_what_may_not_be_seen_of_every_run(kubectl: StandIn, k8s: Callable[..., Result]) -> None:
    kubectl.answers(get_jobs=(1, "Error from server (Forbidden): jobs.batch is forbidden"), **CONTROLLERS)
    assert "jobs.batch is forbidden" in line_of(k8s("stop", "run1"))


def test_a_run_that_is_not_there_is_told_with_those_that_are(kubectl: StandIn, k8s: Callable[..., Result]) -> None:
    selector = "app.kubernetes.io/name=spade-train,app.kubernetes.io/instance=run2"
    kubectl.answers(**{f"get_{selector}": items(), "get": items(JOB)})
    for command in ("status", "logs", "stop"):
        assert line_of(k8s(command, "run2")) == "there is no training run 'run2'; there are: run1"


@pytest.mark.parametrize(
    "said",
    [
        "The connection to the server localhost:8080 was refused - did you specify the right host or port?",
        "Unable to connect to the server: dial tcp: lookup nowhere: no such host",
        'error: error validating "STDIN": error validating data: dial tcp 127.0.0.1:8080: connect: connection refused',
    ],
)
def test_a_cluster_that_does_not_answer_is_told(kubectl: StandIn, k8s: Callable[..., Result], said: str) -> None:
    kubectl.answers(get=(1, said))
    line = line_of(k8s("status", "run1"))
    assert line.startswith(f"the cluster cannot be reached: {said}; `kubectl config current-context`")


def test_what_kubectl_refuses_is_told(kubectl: StandIn, k8s: Callable[..., Result]) -> None:
    kubectl.answers(get=(1, 'Error from server (Forbidden): jobs.batch is forbidden: User "me" cannot list'))
    assert line_of(k8s("status", "run1")).startswith("kubectl: Error from server (Forbidden): jobs.batch is forbidden")


def test_a_run_is_applied(kubectl: StandIn, k8s: Callable[..., Result]) -> None:
    kubectl.answers(kustomize=(0, "kind: Job"), apply=(0, "job.batch/run1 created"))
    start = ("train", "--name", "run1", "--config", CONFIG, "--kind", "cpu", "--apply")
    assert k8s(*start).output == "job.batch/run1 created\n"
    assert kubectl.asked[-1] == {"arguments": ["apply", "-f", "-"], "given": "kind: Job\n"}

    kubectl.answers(kustomize=(0, ""), apply=(1, 'The Job "run1" is invalid: spec.template: field is immutable'))
    assert line_of(k8s(*start)) == (
        "run run1: there is one already, of other settings; stop it first, or choose another name"
    )


def test_without_kubectl_it_is_said_how_to_get_it(
    k8s: Callable[..., Result], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "there is no kubectl on PATH; install it, on Debian with" in line_of(k8s("status", "run1"))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--name", "Run"), "run 'Run': use a-z, 0-9 and -, a letter first and no - at the end"),
        (("--name", "1run"), "run '1run': use a-z"),
        (("--name", "r" * 47), "its name has 47 characters; it may have 46"),
        (("--name", "spade-api"), "run 'spade-api': what serves is called spade-...; choose another name, like api"),
        (("--name", "spade-trained"), "run 'spade-trained': what serves is called spade-..."),
        (("--namespace", "-a"), "namespace '-a': use a-z, 0-9 and -, no - at an end, at most 63 of them"),
        (("--namespace", "n" * 64), "at most 63 of them"),
        (("--kind", "single", "--nodes", 2), "2 nodes of kind single: choose another kind, or 1 node"),
        (("--data", "/data"), "data '/data': write s3://BUCKET/PREFIX or claim:NAME"),
        (("--data", "claim:A_B"), "'A_B' cannot be the name of a volume claim"),
        (("--checkpoints", "runs"), "checkpoints 'runs': write s3://BUCKET/PREFIX"),
        (("--image", "a b"), "image 'a b': it must be without spaces"),
        (("--model", "mine"), "model 'mine': write NAME@VERSION, as in landscape@2"),
        (("--rdma",), "its pods may not lock memory, which RDMA needs"),
        (
            ("--kind", "cpu", "--nodes", 3),
            "batch_size is 4; with 3 processes and accumulation 1 it must be a multiple of 3",
        ),
    ],
)
def test_a_run_that_cannot_be_is_refused_before_anything_is_asked(
    k8s: Callable[..., Result], options: tuple[object, ...], message: str
) -> None:
    assert message in line_of(k8s("train", "--name", "run1", "--config", CONFIG, *options))


def test_a_model_cannot_be_wanted_and_not(k8s: Callable[..., Result]) -> None:
    assert k8s("train", "--name", "a", "--config", CONFIG, "--model", "a@1", "--no-model").exit_code == 2
