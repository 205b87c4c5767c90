"""What a training run on a cluster is to be."""

import re
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

from deploy.cluster.errors import RunError
from model_store.card import is_reference
from spade.training.checkpoint_store import S3_SCHEME

MOST_NAME_CHARACTERS: Final = 46
"""A pod of a JobSet is called NAME-node-0-999-abcde, which may have 63."""
FAILURES_OF_A_NODE: Final = 50
"""That a run outlives. Where one node fails the others may fail with it, so that a run has as many for each."""
CLAIM_SCHEME: Final = "claim:"
_NAME: Final = re.compile(r"[a-z]([a-z0-9-]*[a-z0-9])?")
_NAMESPACE: Final = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_CLAIM_FOLDER: Final = "/data"
_RESTRICTED_NAMESPACE: Final = "spade"
_SERVING: Final = re.compile(r"spade-(?!train$|train-)")
"""How names of what serves begin, and what is trained is not."""


class Kind(StrEnum):
    """The overlays, by what follows `training-` in their names."""

    SINGLE = "single"
    MULTI = "multi"
    CPU = "cpu"
    JOBSET = "jobset"
    TRAINER = "trainer"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunPlan:
    """A run. None leaves a value as the overlay has it. Raises RunError: where a value cannot be."""

    name: str
    config: Path
    kind: Kind
    namespace: str
    nodes: int | None = None
    processes: int | None = None
    image: str | None = None
    data: str = ""
    """s3://bucket/prefix, or claim:NAME of a volume claim; empty: as the configuration says."""
    checkpoints: str = ""
    """s3://bucket/prefix; empty: on a volume that all nodes see."""
    model: str = ""
    """name@version to register; empty: none."""
    queue: bool = False
    rdma: bool = False

    def __post_init__(self) -> None:
        require_run_name(self.name)
        if not _NAMESPACE.fullmatch(self.namespace):
            raise RunError(f"namespace {self.namespace!r}: use a-z, 0-9 and -, no - at an end, at most 63 of them")
        if self.rdma and self.namespace == _RESTRICTED_NAMESPACE:
            raise RunError(
                f"namespace {self.namespace!r}: its pods may not lock memory, which RDMA needs; make another by "
                "`kubectl apply -f k8s/components/rdma/namespace.yaml`, and choose spade-rdma"
            )
        if self.kind is Kind.SINGLE and self.nodes not in (None, 1):
            raise RunError(f"{self.nodes} nodes of kind single: choose another kind, or 1 node")
        for what, value in (("image", self.image or ""), ("data", self.data), ("checkpoints", self.checkpoints)):
            if re.search(r"\s", value):
                raise RunError(f"{what} {value!r}: it must be without spaces")
        if self.data and not self.data.startswith((S3_SCHEME, CLAIM_SCHEME)):
            raise RunError(f"data {self.data!r}: write {S3_SCHEME}BUCKET/PREFIX or {CLAIM_SCHEME}NAME")
        if self.claim and not re.fullmatch(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?", self.claim):
            raise RunError(f"data {self.data!r}: {self.claim!r} cannot be the name of a volume claim")
        if self.checkpoints and not self.checkpoints.startswith(S3_SCHEME):
            raise RunError(f"checkpoints {self.checkpoints!r}: write {S3_SCHEME}BUCKET/PREFIX")
        if self.model and not is_reference(self.model):
            raise RunError(f"model {self.model!r}: write NAME@VERSION, as in landscape@2")

    @property
    def claim(self) -> str:
        """Of the volume with the dataset; empty where it is elsewhere."""
        return self.data.removeprefix(CLAIM_SCHEME) if self.data.startswith(CLAIM_SCHEME) else ""

    def settings(self) -> dict[str, str]:
        """What stands in `run.env` instead of the overlay's values."""
        given = {
            "name": self.name,
            "image": self.image,
            "nodes": self.nodes,
            "failures": self.nodes and self.nodes * FAILURES_OF_A_NODE,
            "processes": self.processes,
            "data": _CLAIM_FOLDER if self.claim else self.data,
            "claim": self.claim or None,
            "checkpoints": self.checkpoints,
            "model": self.model,
        }
        return {key: str(value) for key, value in given.items() if value is not None}


def require_run_name(name: str) -> None:
    """Raises RunError: where a run cannot be called so."""
    if not _NAME.fullmatch(name):
        raise RunError(f"run {name!r}: use a-z, 0-9 and -, a letter first and no - at the end")
    if _SERVING.match(name):
        raise RunError(f"run {name!r}: what serves is called spade-...; choose another name, like {name[6:]}")
    if len(name) > MOST_NAME_CHARACTERS:
        raise RunError(
            f"run {name!r}: its name has {len(name)} characters; it may have {MOST_NAME_CHARACTERS}, since a "
            "JobSet adds to it for the names of pods"
        )
