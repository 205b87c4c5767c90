"""The embedded stack as it is, but for a proxy before the object store and the engine of the workers."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from deploy.local.child import Child
from deploy.local.services import ApiServer, Worker, service_environment, worker_command
from deploy.local.stack import LocalStack, running, server_settings, stack_servers
from deploy.local.state import StackConfig
from support.fault_proxy import FaultProxy
from workers.settings import Settings

MODEL: Final = "coco-stuff"
LEASE_SECONDS: Final = 2.0
TESTS: Final = Path(__file__).parents[1]


@dataclass(frozen=True, slots=True, kw_only=True)
class ChaosWorker(Worker):
    """A worker with the engine of this folder."""

    def command(self) -> list[str]:
        return worker_command(hostname=f"{self.name}-{self.port}@%h", application="chaos.worker")


class ChaosStack(LocalStack):
    """Two API processes and two workers, whose object store can be made to misbehave by `proxy`."""

    proxy: FaultProxy
    settings: Settings

    def __init__(self, state: Path, **options: Any) -> None:
        super().__init__(state, **options)
        self.parts = ExitStack()

    def _stages(self, config: StackConfig) -> tuple[list[list[Child]], AbstractContextManager[None]]:
        redis, s3 = stack_servers(self.state, config)
        self.proxy = FaultProxy(s3.port)
        self.parts.enter_context(self.proxy.serving())
        servers = {**server_settings(redis, s3), "SPADE_S3_ENDPOINT": self.proxy.endpoint}
        told = {"SPADE_MODELS_DIR": str(self.state.path / "models"), "SPADE_LEASE_SECONDS": str(LEASE_SECONDS)}
        worker = {"SPADE_WORKER_MODELS": MODEL, "SPADE_BATCH_ITEMS": "4", "PYTHONPATH": str(TESTS)}
        service = service_environment(self._environment, {**servers, **told, **worker})
        self.settings = Settings.from_environment(service)
        api = ApiServer(port=config.api_port, metrics_folder=self.state.metrics, service=service)
        workers = [
            ChaosWorker(number=number, port=port, service=service) for number, port in enumerate(config.worker_ports, 1)
        ]
        return [self._children(redis, s3), self._children(api, *workers)], nullcontext()

    def child(self, name: str) -> Child:
        """The process of this name."""
        return next(child for child in self.children if child.program.name == name)


@contextmanager
def chaos_stack(state: Path, environment: dict[str, str], report: Callable[[str], None]) -> Iterator[ChaosStack]:
    """The stack, ready, while the body runs. Afterwards nothing of it runs any longer."""
    stack = ChaosStack(state, environment=environment, report=report, workers=2, longest_pause_seconds=1.0)
    with stack.parts, running(stack):
        yield stack
