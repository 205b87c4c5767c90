"""`make demo`: the whole service, from label maps to a contact sheet."""

import io
import time
from collections.abc import Iterator
from functools import partial
from itertools import groupby
from pathlib import Path

from PIL import Image, UnidentifiedImageError
from rich.console import Console
from rich.progress import Progress, TaskID

from api.client import SpadeClient
from api.parameters import JobParameters
from api.representation import Item, Job
from deploy.errors import DeployError
from deploy.examples import Example, example_label_maps
from deploy.local.contact_sheet import Tile, draw_contact_sheet
from deploy.local.stack import LocalStack, running
from deploy.progress import job_progress, show_job
from model_store.card import Training

SEED = 1
CONTACT_SHEET = "contact-sheet.png"


class DemoError(DeployError):
    """A picture is not what was asked for."""


def run_demo(stack: LocalStack, out: Path, *, console: Console) -> Path:
    """Start `stack`, have every example made into a picture over HTTP, and stop it.

    Writes the pictures and a contact sheet into `out`; returns the sheet's path.
    Raises `DemoError` where a picture has the wrong size, `DeployError` where the stack does not start, `ClientError`
    where it does not answer or a picture is missing.
    """
    out.mkdir(parents=True, exist_ok=True)
    started = time.monotonic()
    with job_progress(console) as progress:
        starting = progress.add_task("starting Redis, object store, API and worker", total=None)
        with running(stack), SpadeClient(stack.url) as client:
            progress.update(starting, total=1, completed=1, description="started Redis, object store, API and worker")
            tiles = list(_make_pictures(client, out, progress))
    seconds = time.monotonic() - started
    sheet = draw_contact_sheet(
        tiles,
        title="Label maps and the pictures made of them",
        subtitle=f"{len(tiles)} label maps, posted to the API, queued, synthesized by a worker, fetched from S3",
    )
    sheet.save(out / CONTACT_SHEET)
    console.print(f"{len(tiles)} pictures in {seconds:.1f} s, start and stop of the service included")
    return out / CONTACT_SHEET


def _make_pictures(client: SpadeClient, out: Path, progress: Progress) -> Iterator[Tile]:
    """One job a model, all submitted before the first is waited for."""
    submitted: list[tuple[list[Example], Job, TaskID]] = []
    for model, group in groupby(example_label_maps(), key=lambda example: example.model):
        examples = list(group)
        instance_maps = [example.instance_map for example in examples if example.instance_map is not None]
        parameters = JobParameters(model=model, seed=SEED)
        job = client.submit([example.path for example in examples], parameters, instance_maps=instance_maps)
        task = progress.add_task(f"pictures by {job.model.name}, job {job.id}", total=job.counts.total)
        submitted.append((examples, job, task))
    for examples, job, task in submitted:
        finished = client.follow(job.id, on_change=partial(show_job, progress, task))
        untrained = client.model(job.model.name).training == Training.UNTRAINED
        for example, item in zip(examples, finished.items, strict=True):
            yield _fetch(client, finished, item, example, out, untrained=untrained)


def _fetch(client: SpadeClient, job: Job, item: Item, example: Example, out: Path, *, untrained: bool) -> Tile:
    content = client.picture(item)
    (out / item.file).write_bytes(content)
    try:
        picture = Image.open(io.BytesIO(content)).convert("RGB")
    except (UnidentifiedImageError, OSError) as error:
        raise DemoError(f"the picture of {item.file} is no image: {error}") from error
    if picture.size != (job.size.width, job.size.height):
        raise DemoError(f"the picture of {item.file} has {picture.size} pixels rather than {job.size}")
    with Image.open(example.path) as label_map:
        return Tile(
            label_map=label_map.convert("RGB"),
            picture=picture,
            title=item.file,
            subtitle=f"{job.model.name}@{job.model.version}, seed {item.seed}",
            untrained=untrained,
        )
