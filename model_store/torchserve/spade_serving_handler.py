"""The handler in our archives for TorchServe, which imports this file by its name and wants one class in it."""

from pathlib import Path
from typing import Any

from model_store.torchserve.config import BackendConfig
from model_store.torchserve.served import Context, ServedModel
from model_store.torchserve.wire import BATCH_HEADER, CONTENT_TYPE


class SpadeServingHandler:
    """What TorchServe calls: `initialize` once, `handle` for every batch."""

    def initialize(self, context: Context) -> None:
        """Load the model. Raises SpadeError, which ends the backend: its text is in TorchServe's log."""
        properties = context.system_properties
        config = BackendConfig.from_values(context.model_yaml_config["handler"])
        self._model = ServedModel(Path(properties["model_dir"]), config, gpu=properties["gpu_id"])

    def handle(self, batch: list[dict[str, Any]], context: Context) -> list[bytes]:
        """An answer for each request of a batch."""
        answers = self._model.answer([request.get("body") for request in batch])
        for place, answer in enumerate(answers):
            context.set_response_status(answer.status, "", place)
            context.set_response_content_type(place, CONTENT_TYPE)
            context.set_response_header(place, BATCH_HEADER, str(len(batch)))
        return [answer.body for answer in answers]
