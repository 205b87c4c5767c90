"""Scripts of the job store in simulated time are the same scripts with another clock."""

from importlib import resources

import pytest

from deploy.bench.simulated_time import in_simulated_time
from deploy.errors import BenchmarkError
from workers.scripts import script_text

CLOCK = "redis.call('TIME')"


def test_one_place_of_all_scripts_asks_for_the_time() -> None:
    folder = resources.files("workers") / "lua"
    assert [path.name for path in folder.iterdir() if "'TIME'" in path.read_text()] == ["common.lua"]


@pytest.mark.parametrize("name", ["submit", "claim", "advance", "commit", "reap", "limit"])
def test_but_for_the_clock_a_simulated_script_is_the_real_one(name: str) -> None:
    text = script_text(name)
    before, _, after = text.partition(CLOCK)
    simulated = in_simulated_time(text)
    assert simulated.startswith(before)
    assert simulated.endswith(after)
    assert "TIME'" not in simulated


@pytest.mark.parametrize("script", ["return 1", f"return {{ {CLOCK}, {CLOCK} }}"])
def test_a_script_without_just_one_clock_is_refused(script: str) -> None:
    with pytest.raises(BenchmarkError, match="it must be 1"):
        in_simulated_time(script)
