"""`make demo`: the whole service, from label maps to a contact sheet."""

import io
import time
from collections import defaultdict
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from PIL import Image, UnidentifiedImageError
from rich.console import Console
from rich.progress import Progress, TaskID

from api.client import SpadeClient
from api.parameters import JobParameters
from api.representation import Item, Job
from deploy.errors import DeployError
from deploy.examples import Example, example_label_maps
from deploy.local.contact_sheet import Captioned, Row, draw_contact_sheet
from deploy.local.stack import LocalStack, running
from deploy.progress import job_progress, show_job

CONTACT_SHEET = "contact-sheet.png"


class DemoError(DeployError):
    """A picture is not what was asked for."""


def run_demo(stack: LocalStack, out: Path, *, console: Console) -> Path:
    """Start `stack`, have a picture of every example made in each of its styles over HTTP, and stop it.

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
            rows = list(_make_pictures(client, out, progress))
    seconds = time.monotonic() - started
    sheet = draw_contact_sheet(
        rows,
        title="Label maps and the pictures made of them",
        subtitle=f"{len(rows)} label maps, posted to the API, queued, synthesized by a worker, fetched from S3",
    )
    sheet.save(out / CONTACT_SHEET)
    pictures = sum(len(row.pictures) for row in rows)
    console.print(f"{pictures} pictures in {seconds:.1f} s, start and stop of the service included")
    return out / CONTACT_SHEET


def _make_pictures(client: SpadeClient, out: Path, progress: Progress) -> Iterator[Row]:
    """One job for each style of a model, all submitted before the first is waited for."""
    examples_by_style: dict[tuple[str, str], list[Example]] = defaultdict(list)
    for example in example_label_maps():
        for style in example.styles:
            examples_by_style[example.model, style].append(example)
    submitted: list[tuple[list[Example], str, Job, TaskID]] = []
    for (model, style), examples in examples_by_style.items():
        parameters = JobParameters(model=model, style=style)
        job = client.submit([example.path for example in examples], parameters)
        task = progress.add_task(f"{style} by {job.model.name}, job {job.id}", total=job.counts.total)
        submitted.append((examples, style, job, task))
    pictures: dict[Path, list[Captioned]] = defaultdict(list)
    for examples, style, job, task in submitted:
        finished = client.follow(job.id, on_change=partial(show_job, progress, task))
        for example, item in zip(examples, finished.items, strict=True):
            pictures[example.path].append(_fetch(client, finished, item, out, style))
    for path, made in pictures.items():
        with Image.open(path) as label_map:
            captioned = Captioned(image=label_map.convert("RGB"), caption=path.name)
        yield Row(label_map=captioned, pictures=tuple(made))


def _fetch(client: SpadeClient, job: Job, item: Item, out: Path, style: str) -> Captioned:
    content = client.picture(item)
    file = f"{Path(item.file).stem}_{style}{Path(item.file).suffix}"
    (out / file).write_bytes(content)
    try:
        picture = Image.open(io.BytesIO(content)).convert("RGB")
    except (UnidentifiedImageError, OSError) as error:
        raise DemoError(f"the picture {file} is no image: {error}") from error
    if picture.size != (job.size.width, job.size.height):
        raise DemoError(f"the picture {file} has {picture.size} pixels rather than {job.size}")
    return Captioned(image=picture, caption=f"{style}, {job.model.name}@{job.model.version}")
