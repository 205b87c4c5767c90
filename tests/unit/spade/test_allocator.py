import subprocess
import sys

PROGRAM = """
import resource, sys
from spade.allocator import keep_freed_memory
import torch

if sys.argv[1] == "keep":
    keep_freed_memory()

def faults(times):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(times):
        torch.ones(2**24)  # 64 MiB
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

faults(32)  # until the heap has its size
print(faults(16))
"""


def page_faults(how: str) -> int:
    done = subprocess.run([sys.executable, "-c", PROGRAM, how], capture_output=True, text=True, check=True)
    return int(done.stdout)


def test_freed_memory_serves_the_next_tensor() -> None:
    assert page_faults("keep") < page_faults("give back") / 2
