"""One process or many that train one model together, as torchrun starts them.

Every process runs the same loop on its own pictures. `DistributedDataParallel` averages gradients over processes during
the backward pass, which takes the step's `backward(inputs=...)` as well: it waits on the gradient accumulators of the
parameters, and those run for the parameters that are named. Buffers are not broadcast: batch statistics are of all
processes' pictures already, power iteration does the same everywhere, and a broadcast would write into tensors that the
graph still needs.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import torch
import torch.distributed
from torch import Tensor, nn
from torch.futures import Future
from torch.nn.parallel import DistributedDataParallel

from spade.device import pick_device
from spade.errors import ConfigError
from spade.training.errors import ProcessLostError

# A process may have to wait for another that writes a checkpoint or reads a dataset for the first time.
_PATIENCE = timedelta(minutes=30)
_BACKENDS = {"cpu": "gloo", "cuda": "cpu:gloo,cuda:nccl"}
"""Decisions travel as CPU tensors also where gradients travel between GPUs, so they never wait for a GPU."""

_ORDERLESS_PROCESSES = 2
"""So many numbers have one sum; that of more depends, in its last bits, on which are added first."""

_SIGNS_OF_LOSS = ("Connection closed by peer", "Connection reset by peer", "remote process exited", "Timed out waiting")
"""In the messages of gloo, which has no error class of its own, and of NCCL."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Processes:
    """This process among those that train together, each with a device of its own."""

    device: torch.device
    rank: int = 0
    count: int = 1

    @property
    def is_first(self) -> bool:
        """Whether this is the process that writes files and talks to people."""
        return self.rank == 0

    def wrap(self, module: nn.Module) -> nn.Module:
        """The module as it is trained here: with gradients averaged over all processes, where there are several."""
        if self.count == 1:
            return module
        wrapped = DistributedDataParallel(module, forward_sync_buffers=False, gradient_as_bucket_view=True)
        if self.device.type == "cpu" and self.count > _ORDERLESS_PROCESSES:
            wrapped.register_comm_hook(self.count, _mean_in_order_of_ranks)
        return wrapped

    def any(self, flag: bool) -> bool:
        """Whether the flag is set in some process; all processes must ask."""
        if self.count == 1:
            return flag
        flags = torch.tensor(int(flag))
        torch.distributed.all_reduce(flags, torch.distributed.ReduceOp.MAX)
        return bool(flags)

    def mean(self, values: Tensor) -> Tensor:
        """The mean of `values` over all processes, which must all ask; float64 on the CPU."""
        values = values.detach().double().cpu()
        if self.count > 1:
            torch.distributed.all_reduce(values)
        return values / self.count

    def from_first(self, value: Any) -> Any:  # noqa: ANN401 - whatever it is, it comes back
        """The first process's `value`; all processes must ask."""
        if self.count == 1:
            return value
        values = [value]
        torch.distributed.broadcast_object_list(values, src=0, device=torch.device("cpu"))
        return values[0]


@contextmanager
def joined_processes(environment: Mapping[str, str], device: str) -> Iterator[Processes]:
    """This process among those that torchrun's variables in `environment` tell of; alone without them.

    Raises ConfigError: where the variables contradict one another. DeviceError: where there is no such device, or fewer
    GPUs than processes of this machine.
    """
    rank, count, local_rank = (
        _number(environment, name, default) for name, default in (("RANK", 0), ("WORLD_SIZE", 1), ("LOCAL_RANK", 0))
    )
    chosen = _device_of(pick_device(device), local_rank)
    if count == 1:
        yield Processes(device=chosen)
        return
    if chosen.type not in _BACKENDS:
        raise ConfigError(f"device {chosen.type}: several processes train on cpu or cuda only")
    torch.distributed.init_process_group(_BACKENDS[chosen.type], timeout=_PATIENCE)
    with lost_processes_told(rank):
        yield Processes(device=chosen, rank=rank, count=count)
        # Not after an error: the others may be waiting for this process, which ends to let torchrun end them too.
        torch.distributed.barrier()
        torch.distributed.destroy_process_group()


@contextmanager
def lost_processes_told(rank: int) -> Iterator[None]:
    """Turns what gloo and NCCL raise when a process is gone into ProcessLostError."""
    try:
        yield
    except RuntimeError as error:
        if not any(sign in str(error) for sign in _SIGNS_OF_LOSS):
            raise
        raise ProcessLostError(
            f"process {rank}: another process of this training ended or cannot be reached"
        ) from error


def _mean_in_order_of_ranks(
    count: int,
    bucket: torch.distributed.GradBucket,  # type: ignore[name-defined] # defined where torch is built for it
) -> Future[Tensor]:
    """Averages gradients over `count` processes so that a run that was stopped ends with the bits of one that was not.

    Gloo's own sum begins at a rank that depends on where in the bucket a gradient lies, and gradients change places
    after the first step of a process. It costs more traffic, count - 1 buckets instead of less than two.
    """
    gradients = bucket.buffer()
    of_all = gradients.new_empty(count, *gradients.shape)
    gathered = torch.distributed.all_gather(list(of_all), gradients, async_op=True)

    def mean(_: object) -> Tensor:
        total: Tensor = of_all[0]
        for of_rank in of_all[1:]:
            total += of_rank
        return total.div_(count)

    averaged: Future[Tensor] = gathered.get_future().then(mean)
    return averaged


def _device_of(kind: torch.device, local_rank: int) -> torch.device:
    if kind.type != "cuda":
        return kind
    if local_rank >= torch.cuda.device_count():
        raise ConfigError(
            f"process {local_rank} of this machine has no GPU: there are {torch.cuda.device_count()}; "
            "start at most as many processes on a machine"
        )
    device = torch.device("cuda", local_rank)
    torch.cuda.set_device(device)
    return device


def _number(environment: Mapping[str, str], name: str, default: int) -> int:
    text = environment.get(name, str(default))
    if not text.isdecimal():
        raise ConfigError(f"environment variable {name} is {text!r}; torchrun sets a number")
    return int(text)
