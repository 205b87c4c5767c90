"""checkov's rules for Kubernetes, over all overlays at once. It has a virtual environment of its own, .venv/checkov."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest
import yaml

from support.manifests import overlay_names, planted, render, rendered_text

SKIPPED: Final = {
    "CKV_K8S_11 of Job.": "a run of training is to have all of its machine's cores",
    "CKV_K8S_15 ": "to pull images always would change nothing: each is named by one version",
    "CKV_K8S_23 of Job.spade-rdma.": "a capability that is added reaches no process of another user than root",
    "CKV_K8S_25 of Job.spade-rdma.": "RDMA locks memory, which takes the capability IPC_LOCK",
    "CKV_K8S_40 of Job.spade-rdma.": "as CKV_K8S_23",
    "CKV_K8S_35 ": "the programs are told by variables, and so their secrets are too",
    "CKV_K8S_43 ": "a registry gives digests to images, so whoever has one adds them in an overlay's `images`",
}
"""Beginnings of failures, and why they are none."""


@pytest.fixture(scope="module")
def failed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    """What fails, by the overlay's name, as `ID of KIND.NAMESPACE.NAME: RULE`; `planted` is an overlay with a fault."""
    checkov = shutil.which("checkov", path=Path(sys.prefix, "checkov", "bin")) or shutil.which("checkov")
    if checkov is None:
        pytest.skip("there is no checkov in .venv/checkov nor on PATH")
    folder = tmp_path_factory.mktemp("rendered")
    for overlay in overlay_names():
        (folder / f"{overlay}.yaml").write_text(rendered_text(overlay))
    path = "/spec/template/spec/containers/0/securityContext/privileged"
    (folder / "planted.yaml").write_text(
        yaml.dump_all(planted(render("production"), "Deployment/spade-api", path, True))
    )
    options = [
        "--framework",
        "kubernetes",
        "--quiet",
        "--compact",
        "--soft-fail",
        "--output",
        "json",
        "--skip-download",
    ]
    done = subprocess.run([checkov, "--directory", folder, *options], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    failures: dict[str, list[str]] = {name: [] for name in (*overlay_names(), "planted")}
    for result in json.loads(done.stdout)["results"]["failed_checks"]:
        told = f"{result['check_id']} of {result['resource']}: {result['check_name']}"
        failures[Path(result["file_path"]).stem].append(told)
    return failures


def test_checkov_finds_nothing_else(failed: dict[str, list[str]]) -> None:
    rest = {name: [one for one in found if not one.startswith(tuple(SKIPPED))] for name, found in failed.items()}
    assert rest.pop("planted") == ["CKV_K8S_16 of Deployment.spade.spade-api: Container should not be privileged"]
    assert {name: found for name, found in rest.items() if found} == {}
