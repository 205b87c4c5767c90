"""Words that a field may have, which the published schemas call any string."""

from collections.abc import Iterator
from typing import Final

import pytest

from support.manifests import Manifest, planted, render, title, walk

WORDS: Final[dict[str, set[str]]] = {
    "accessModes": {"ReadWriteOnce", "ReadOnlyMany", "ReadWriteMany", "ReadWriteOncePod"},
    "completionMode": {"Indexed", "NonIndexed"},
    "concurrencyPolicy": {"Allow", "Forbid", "Replace"},
    "fsGroupChangePolicy": {"Always", "OnRootMismatch"},
    "imagePullPolicy": {"Always", "IfNotPresent", "Never"},
    "metricType": {"AverageValue", "Utilization", "Value"},
    "podReplacementPolicy": {"Failed", "TerminatingOrFailed"},
    "policyTypes": {"Ingress", "Egress"},
    "protocol": {"TCP", "UDP", "SCTP"},
    "restartPolicy": {"Always", "OnFailure", "Never"},
    "unhealthyPodEvictionPolicy": {"AlwaysAllow", "IfHealthyBudget"},
    "whenUnsatisfiable": {"DoNotSchedule", "ScheduleAnyway"},
    "strategy.type": {"Recreate", "RollingUpdate"},
    "seccompProfile.type": {"RuntimeDefault", "Localhost"},
    "tolerations.effect": {"NoSchedule", "PreferNoSchedule", "NoExecute"},
    "tolerations.operator": {"Exists", "Equal"},
    "matchExpressions.operator": {"In", "NotIn", "Exists", "DoesNotExist"},
    "onExitCodes.operator": {"In", "NotIn"},
    "onPodConditions.status": {"True", "False", "Unknown"},
    "onPodConditions.type": {"DisruptionTarget", "ConfigIssue"},
    "podFailurePolicy.rules.action": {"Ignore", "FailJob", "Count", "FailIndex"},
    "policies.type": {"Pods", "Percent"},
    "metrics.type": {"ContainerResource", "External", "Object", "Pods", "Resource"},
    "target.type": {"AverageValue", "Utilization", "Value"},
    "triggers.type": {"prometheus"},
    "emptyDir.medium": {"Memory", ""},
}


def strange_words(manifests: list[Manifest]) -> Iterator[str]:
    for manifest in manifests:
        for path, value in walk(manifest):
            dotted = f".{'.'.join(path)}"
            for field, words in WORDS.items():
                if isinstance(value, str) and dotted.endswith(f".{field}") and value not in words:
                    yield f"{title(manifest)}: {dotted[1:]} is {value!r}; it must be one of {', '.join(sorted(words))}"


def test_words_are_ones_that_a_field_may_have(manifests: list[Manifest]) -> None:
    assert list(strange_words(manifests)) == []


@pytest.mark.parametrize(
    ("where", "path", "field"),
    [
        ("Deployment/spade-api", "/spec/strategy/type", "strategy.type"),
        ("Deployment/spade-api", "/spec/template/spec/restartPolicy", "restartPolicy"),
        ("Deployment/spade-api", "/spec/template/spec/initContainers/1/restartPolicy", "restartPolicy"),
        ("Deployment/spade-api", "/spec/template/spec/containers/0/imagePullPolicy", "imagePullPolicy"),
        ("Deployment/spade-worker", "/spec/template/spec/tolerations/0/operator", "tolerations.operator"),
        ("NetworkPolicy/spade-default-deny", "/spec/policyTypes/0", "policyTypes"),
        ("HorizontalPodAutoscaler/spade-api", "/spec/metrics/0/type", "metrics.type"),
        ("PodDisruptionBudget/spade-api", "/spec/unhealthyPodEvictionPolicy", "unhealthyPodEvictionPolicy"),
        ("ScaledObject/spade-worker", "/spec/triggers/0/type", "triggers.type"),
    ],
)
def test_a_word_that_is_none_is_noticed(where: str, path: str, field: str) -> None:
    faults = list(strange_words(planted(render("production"), where, path, "always")))
    assert len(faults) == 1
    assert f"{field} is 'always'; it must be one of" in faults[0]
