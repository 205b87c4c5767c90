"""The kinds of Kueue that the project has, as far as it uses them; nobody publishes models of them for Python."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, alias_generator=to_camel)


class _Object(_Strict):
    api_version: Literal["kueue.x-k8s.io/v1beta2"]
    metadata: dict[str, Any]


class ResourceFlavor(_Object):
    kind: Literal["ResourceFlavor"]


class _Quota(_Strict):
    name: str
    nominal_quota: str


class _FlavorQuotas(_Strict):
    name: str
    resources: list[_Quota]


class _ResourceGroup(_Strict):
    covered_resources: list[str]
    flavors: list[_FlavorQuotas]


class _Term(_Strict):
    key: str
    operator: str
    values: list[str] = []


class _LabelSelector(_Strict):
    match_labels: dict[str, str] = {}
    match_expressions: list[_Term] = []


class _ClusterQueueSpec(_Strict):
    namespace_selector: _LabelSelector
    resource_groups: list[_ResourceGroup]


class ClusterQueue(_Object):
    kind: Literal["ClusterQueue"]
    spec: _ClusterQueueSpec


class _LocalQueueSpec(_Strict):
    cluster_queue: str


class LocalQueue(_Object):
    kind: Literal["LocalQueue"]
    spec: _LocalQueueSpec
