"""What a stand-in for a cluster needs of a rendered Job and of what is rendered beside it."""

import re
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import yaml

from deploy.quantities import read_size
from support.cluster.pod import Mount

_REFERENCE = re.compile(r"\$\(([A-Za-z_][A-Za-z0-9_]*)\)")
_LABEL = re.compile(r"metadata\.labels\['(.+)'\]")
_DISRUPTED = "DisruptionTarget"


@dataclass(frozen=True, slots=True, kw_only=True)
class PodFacts:
    """What a pod's environment may refer to."""

    index: int
    address: str
    labels: Mapping[str, str]
    secrets: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class JobManifest:
    """An Indexed Job with one container."""

    spec: Mapping[str, Any]
    name: str
    config_maps: Mapping[str, Mapping[str, str]]

    @classmethod
    def rendered(cls, overlay: Path) -> Self:
        """The only Job of the overlay, as kubectl renders it."""
        done = subprocess.run(["kubectl", "kustomize", str(overlay)], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return cls.among(list(yaml.safe_load_all(done.stdout)))

    @classmethod
    def among(cls, documents: Sequence[Mapping[str, Any]]) -> Self:
        """The only Job of these manifests, or the one that a JobSet or a TrainingRuntime of them would make."""
        [(name, spec)] = [
            (document["metadata"]["name"], spec) for document in documents for spec in _job_specs(document)
        ]
        assert spec["completionMode"] == "Indexed"
        return cls(
            spec=spec,
            name=name,
            config_maps={d["metadata"]["name"]: d["data"] for d in documents if d["kind"] == "ConfigMap"},
        )

    @property
    def pods(self) -> int:
        return int(self.spec["completions"])

    @property
    def pod_spec(self) -> Mapping[str, Any]:
        return self.spec["template"]["spec"]  # type: ignore[no-any-return]

    @property
    def command(self) -> list[str]:
        container = self.container
        return [*container.get("command", []), *container.get("args", [])]

    @property
    def container(self) -> Mapping[str, Any]:
        [container] = self.pod_spec["containers"]
        return container  # type: ignore[no-any-return]

    def action(self, code: int, *, disrupted: bool) -> str:
        """What the policy says about a pod that ended with `code`, which is not 0: Ignore, Count or FailJob."""
        for rule in self.spec["podFailurePolicy"]["rules"]:
            conditions = [condition["type"] for condition in rule.get("onPodConditions", [])]
            codes = rule.get("onExitCodes")
            listed = codes is not None and (code in codes["values"]) == (codes["operator"] == "In")
            if listed or (disrupted and _DISRUPTED in conditions):
                return str(rule["action"])
        return "Count"

    def environment(self, facts: PodFacts) -> dict[str, str]:
        """Of the container, as a kubelet makes it."""
        found = {"JOB_COMPLETION_INDEX": str(facts.index)}
        for variable in self.container.get("env", []):
            value = self._value(variable, facts)
            if value is not None:
                found[variable["name"]] = _REFERENCE.sub(lambda match: found.get(match[1], match[0]), value)
        return found

    @staticmethod
    def _value(variable: Mapping[str, Any], facts: PodFacts) -> str | None:
        match variable:
            case {"value": str(value)}:
                return value
            case {"valueFrom": {"secretKeyRef": {"key": key, **rest}}}:
                return facts.secrets.get(key) if rest.get("optional") else facts.secrets[key]
            case {"valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}}:
                return facts.address
            case {"valueFrom": {"fieldRef": {"fieldPath": path}}} if label := _LABEL.fullmatch(path):
                return facts.labels[label[1]]
            case _:
                raise NotImplementedError(f"environment variable of a form that is not known here: {variable}")

    def mounts(self, *, of_pod: Path, shared: Path) -> list[Mount]:
        """The container's volumes; claims are folders in `shared`, what a pod has for itself is in `of_pod`."""
        volumes = {volume["name"]: volume for volume in self.pod_spec["volumes"]}
        return [
            Mount(
                source=self._source(volumes[mount["name"]], of_pod, shared),
                target=mount["mountPath"],
                read_only=mount.get("readOnly", False),
            )
            for mount in self.container["volumeMounts"]
        ]

    def _source(self, volume: Mapping[str, Any], of_pod: Path, shared: Path) -> Path | int:
        match volume:
            case {"emptyDir": {"medium": "Memory", "sizeLimit": size}}:
                return read_size(f"{size}B")
            case {"persistentVolumeClaim": {"claimName": claim}}:
                return _folder(shared / claim)
            case {"configMap": {"name": name}}:
                folder = _folder(of_pod / volume["name"])
                for file, text in self.config_maps[name].items():
                    (folder / file).write_text(text)
                return folder
            case {"emptyDir": _}:
                return _folder(of_pod / volume["name"])
            case _:
                raise NotImplementedError(f"volume of a form that is not known here: {volume}")


def _job_specs(document: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    match document:
        case {"kind": "Job", "spec": spec}:
            return [spec]
        case {"kind": "JobSet", "spec": {"replicatedJobs": jobs}}:
            return [job["template"]["spec"] for job in jobs]
        case {"kind": "TrainingRuntime", "spec": {"template": {"spec": {"replicatedJobs": jobs}}}}:
            return [job["template"]["spec"] for job in jobs]
        case _:
            return []


def _folder(path: Path) -> Path:
    path.mkdir(parents=True, exist_ok=True)
    return path
