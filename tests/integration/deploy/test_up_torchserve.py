"""`spade-serve up --engine torchserve`: the whole stack with TorchServe in it."""

import io
import tempfile
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import numpy as np
from PIL import Image

from api.client import SpadeClient
from api.parameters import JobParameters
from deploy.examples import example_label_maps
from spade.label_images import encode_ids_png
from support.models import add_small_model
from support.programs import Up
from support.waiting import wait_until
from workers.messages import State

BEACH = example_label_maps()[0].path
LANDSCAPE = JobParameters(model="landscape", seed=1)


def pixels(client: SpadeClient) -> np.ndarray:
    job = client.follow(client.submit([BEACH], LANDSCAPE).id)
    assert job.state is State.SUCCEEDED
    with Image.open(io.BytesIO(client.picture(job.items[0]))) as picture:
        return np.asarray(picture).astype(int)


def test_it_makes_the_same_pictures_also_after_torchserve_was_killed_and_of_models_that_are_added(
    client: SpadeClient, start_up: Callable[..., AbstractContextManager[Up]], tmp_path: Path
) -> None:
    models_dir = tmp_path / "models"
    add_small_model(models_dir, "small")
    settings = {"SPADE_ENGINE": "torchserve", "SPADE_MODELS_DIR": str(models_dir), "SPADE_WORKER_MODELS": ""}
    expected = pixels(client)
    with (
        tempfile.TemporaryDirectory(prefix="spade-") as short,  # the names of sockets in it are
        start_up(Path(short) / "state", **settings) as served,
        SpadeClient(served.url) as other,
    ):
        found = pixels(other)
        assert np.abs(found - expected).max() <= 1

        java = served.child("org.pytorch.serve.ModelServer")
        java.kill()
        wait_until(lambda: served.child("org.pytorch.serve.ModelServer") not in (None, java), "another TorchServe")
        assert (pixels(other) == found).all()

        add_small_model(models_dir, "small", version="2", base_channels=2)
        stripes = tmp_path / "stripes.png"
        stripes.write_bytes(encode_ids_png(np.repeat(np.arange(4), 16)[:, None].repeat(64, axis=1)))
        job = other.follow(other.submit([stripes], JobParameters(model="small", seed=1)).id)
        assert (job.state, job.model.version) == (State.SUCCEEDED, "2")
        assert "torchserve.log" in {path.name for path in (served.state / "logs").iterdir()}
