"""Whatever happens to the nodes of a training run, it goes on by itself, and no bit of the result tells.

Waits have deadlines, so these also say that no node waits for ever for one that is gone.
"""

from typing import Any

import pytest

from support.checkpoints import differences, state_of

pytestmark = pytest.mark.timeout(600)

FIRST_CHECKPOINT = 7


def test_a_run_outlives_the_death_of_a_node_and_of_the_one_where_all_meet(
    training: Any, undisturbed: dict[str, Any]
) -> None:
    step = training.wait_for_step(FIRST_CHECKPOINT + 1)
    training.job.kill(1)
    step = training.wait_for_step(step + 2)
    training.job.kill(0)
    ended = training.wait_for_the_end()
    assert differences(undisturbed, ended) == [], f"killed the first node after step {step}"
    assert training.steps == list(range(1, ended["position"]["step"] + 1))
    assert training.output.count("goes on from /results/checkpoints/step-") == 2


def test_a_run_whose_nodes_are_drained_one_or_all_loses_no_step(training: Any, undisturbed: dict[str, Any]) -> None:
    step = 0
    for nodes in ((1,), (0, 1)):
        training.wait_for_step(step + 3)
        drained = training.job.drain(*nodes)
        training.job.wait_until(lambda ended=drained: all(pod.exit_code() is not None for pod in ended), "they are")
        assert 0 not in [pod.exit_code() for pod in drained], "the Job would take that for the end of the run"
        step = state_of(training.results)["position"]["step"]
        assert training.steps == list(range(1, step + 1))
    assert step < undisturbed["position"]["step"]
    assert differences(undisturbed, training.wait_for_the_end()) == [], f"drained last after step {step}"
    assert training.job.counted_failures == 0


def test_a_configuration_that_cannot_be_used_ends_the_job_at_once(hopeless: Any) -> None:
    hopeless.wait_until(lambda: hopeless.failed_with is not None, "the Job has failed")
    assert hopeless.failed_with == 64
    assert len(hopeless.started) == 2, "no pod is started again"
