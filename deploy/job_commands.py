"""`spade-serve submit` and `status`: jobs of a running service, from the command line."""

import json
from collections.abc import Sequence
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Any

import click
from pydantic import ValidationError
from rich.console import Console

from api.client import SpadeClient
from api.errors import fault_text
from api.files import INSTANCE_SUFFIX
from api.parameters import JobParameters, faults_of
from api.representation import Job
from deploy.errors import DeployError
from deploy.options import key_option, print_json, print_table, service_url, state_option, url_option
from deploy.progress import job_progress, show_job
from model_store.chosen_style import ChosenStyle
from model_store.options import StyleText
from spade.files import written_whole
from spade.options import json_option
from spade.pictures import EXTENSIONS, PictureFormat
from workers.messages import Priority, State


def _choice(values: type[StrEnum]) -> click.Choice[str]:
    return click.Choice([value.value for value in values])


class NoLabelMapsError(DeployError):
    """Nothing to submit, or label maps with and without instance maps mixed."""


class UnfinishedError(DeployError):
    """A job whose items did not all succeed."""


@click.command()
@click.argument("paths", nargs=-1, type=click.Path(exists=True, path_type=Path))
@click.option(
    "--prefix", metavar="KEYS", help="Instead of PATHS: label maps in the bucket below inputs/..., as bulk job."
)
@click.option("--model", required=True, help="Name, or name@version; see `spade-serve models list`.")
@click.option("--seed", type=click.IntRange(0), help="Of the first variation; drawn and told if absent.")
@click.option("--variations", type=click.IntRange(1), default=1, show_default=True, help="Pictures a label map.")
@click.option(
    "--style",
    type=StyleText(),
    help="Of the model, see `spade-serve models list`, or a blend of two, like day:sunset:0.3, in place of a seed.",
)
@click.option(
    "--style-image",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Picture whose style to take, of models that read styles.",
)
@click.option("--size", help="WIDTHxHEIGHT; the model's own by default.")
@click.option("--palette", help="Palette of RGB label maps: gaugan or model.")
@click.option("--format", "picture_format", type=_choice(PictureFormat), default="png", show_default=True)
@click.option("--priority", type=_choice(Priority), default="normal", show_default=True)
@click.option("--label", "labels", multiple=True, metavar="KEY=VALUE", help="For your own use; may be repeated.")
@click.option("--webhook", metavar="URL", help="Told by a signed POST when the job has ended.")
@click.option("--wait/--no-wait", default=True, show_default=True, help="Wait for the pictures and download them.")
@click.option("--archive", is_flag=True, help="Download them and a manifest as one ZIP, JOB.zip.")
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("out"),
    show_default=True,
    help="Folder for the pictures, named INDEX-LABELMAP.",
)
@url_option
@key_option
@state_option
@json_option
def submit(
    paths: tuple[Path, ...],
    prefix: str | None,
    model: str,
    seed: int | None,
    variations: int,
    style: ChosenStyle | None,
    style_image: Path | None,
    size: str | None,
    palette: str | None,
    picture_format: str,
    priority: str,
    labels: tuple[str, ...],
    webhook: str | None,
    wait: bool,
    archive: bool,
    out: Path,
    url: str | None,
    key: str | None,
    state: Path,
    as_json: bool,
) -> None:
    """Send label maps as one job, wait for the pictures and download them.

    PATHS are PNG files, and folders all of whose PNG files are sent, or one ZIP of PNG files. NAME.instance.png is the
    instance map of NAME.png.

    \b
    Examples:
        spade-serve submit maps/ --model landscape --seed 7 --out pictures
        spade-serve submit --prefix inputs/mine/ --model landscape --archive
    """
    if bool(paths) == bool(prefix):
        raise click.UsageError("give label maps, or --prefix, one of both")
    label_maps, instance_maps = find_maps(paths) if paths else ([], [])
    values: dict[str, Any] = {"model": model, "seed": seed, "variations": variations, "size": size, "palette": palette}
    values |= {
        "style": _style(style),
        "format": picture_format,
        "priority": priority,
        "labels": _labels(labels),
        "webhook": webhook,
    }
    parameters = _job_parameters(values)
    with SpadeClient(service_url(url, state), key=key) as client:
        if prefix:
            job = client.submit_prefix(prefix, parameters, style_image=style_image)
        else:
            job = client.submit(label_maps, parameters, instance_maps=instance_maps, style_image=style_image)
        if not as_json:
            click.echo(f"job {job.id}, {job.counts.total} to make")
        pictures: list[Path] = []
        if wait:
            job = _follow(client, job, quiet=as_json)
            pictures = (_download_archive if archive else _download)(client, job, out)
        problem = _what_went_wrong(client, job) if wait and job.state is not State.SUCCEEDED else None
    if as_json:
        print_json({"job": job.model_dump(mode="json"), "pictures": [str(path) for path in pictures]})
    else:
        for path in pictures:
            click.echo(path)
    if problem is not None:
        raise UnfinishedError(problem)


@click.command()
@click.argument("job_id", required=False)
@url_option
@key_option
@state_option
@json_option
def status(job_id: str | None, url: str | None, key: str | None, state: Path, as_json: bool) -> None:
    """Show a job and its items, or the newest jobs.

    \b
    Example:
        spade-serve status 01K9ZQ6T7V3E8XW2M5N4R1S0AB
    """
    with SpadeClient(service_url(url, state), key=key) as client:
        answer = client.jobs() if job_id is None else client.job(job_id)
    if as_json:
        print_json(answer.model_dump(mode="json"))
    elif isinstance(answer, Job):
        _print_job(answer)
    else:
        columns = ("job", "state", "done", "model", "created")
        rows = [
            (job.id, job.state, f"{job.counts.succeeded}/{job.counts.total}", job.model.name, f"{job.created_at:%F %T}")
            for job in answer.jobs
        ]
        print_table(columns, rows)


def find_maps(paths: Sequence[Path]) -> tuple[list[Path], list[Path]]:
    """The label maps among `paths`, folders looked into, and their instance maps: for all of them or for none.

    Raises `NoLabelMapsError`.
    """
    files = [file for path in paths for file in (sorted(path.glob("*.png")) if path.is_dir() else [path])]
    label_maps = [file for file in files if not file.name.endswith(INSTANCE_SUFFIX)]
    if not label_maps:
        raise NoLabelMapsError(f"there is no label map in {', '.join(map(str, paths))}; label maps are .png files")
    instance_maps = {file: file.with_name(file.stem + INSTANCE_SUFFIX) for file in label_maps}
    absent = [file for file, instance_map in instance_maps.items() if not instance_map.is_file()]
    if not absent:
        return label_maps, list(instance_maps.values())
    if len(absent) < len(label_maps):
        raise NoLabelMapsError(
            f"{absent[0]} has no instance map {instance_maps[absent[0]].name} while others have theirs; "
            "send those with and those without as two jobs"
        )
    return label_maps, []


def _labels(texts: Sequence[str]) -> dict[str, str]:
    pairs = [text.partition("=") for text in texts]
    if bad := next((text for text, (_, equals, _) in zip(texts, pairs, strict=True) if not equals), None):
        raise click.BadParameter(f"{bad!r} has no =; write KEY=VALUE", param_hint="--label")
    return {key: value for key, _, value in pairs}


def _style(style: ChosenStyle | None) -> str | dict[str, object] | None:
    if style is None:
        return None
    if style.second is None:
        return style.first
    return {"blend": [style.first, style.second], "weight": style.weight}


def _job_parameters(values: dict[str, Any]) -> JobParameters:
    try:
        return JobParameters.model_validate_json(json.dumps(values))
    except ValidationError as error:
        faults = faults_of(error, known=JobParameters.model_fields)
        raise click.UsageError("; ".join(map(fault_text, faults))) from error


def _follow(client: SpadeClient, job: Job, *, quiet: bool) -> Job:
    with job_progress(Console(stderr=True), disable=quiet, transient=True) as progress:
        task = progress.add_task("pictures", total=job.counts.total)
        return client.follow(job.id, on_change=partial(show_job, progress, task))


def _download(client: SpadeClient, job: Job, out: Path) -> list[Path]:
    out.mkdir(parents=True, exist_ok=True)
    pictures = []
    for item in client.items(job):
        if item.image is not None:
            path = out / f"{item.index}-{Path(item.file).stem}{EXTENSIONS[job.format]}"
            picture = client.picture(item)
            with written_whole(path, durable=False) as partial:
                partial.write_bytes(picture)
            pictures.append(path)
    return pictures


def _download_archive(client: SpadeClient, job: Job, out: Path) -> list[Path]:
    out.mkdir(parents=True, exist_ok=True)
    path = out / f"{job.id}.zip"
    client.archive(job.id, path)
    return [path]


def _what_went_wrong(client: SpadeClient, job: Job) -> str:
    missing = f"{job.counts.total - job.counts.succeeded} of {job.counts.total} pictures are missing"
    first = next((item for item in client.items(job) if item.state is not State.SUCCEEDED), None)
    if first is None:
        return missing  # of a bulk job that ended before its items had come in
    why = f"{first.file} ended as {first.state}: {first.detail or first.reason or 'no reason is known'}"
    return f"{missing}; {why}"


def _print_job(job: Job) -> None:
    click.echo(f"job {job.id}: {job.state}, {job.counts.succeeded} of {job.counts.total} pictures, {job.model.name}")
    if job.queue is not None:
        eta = "unknown" if job.queue.eta_seconds is None else f"{job.queue.eta_seconds:.0f} s"
        click.echo(f"waiting behind {job.queue.position} items, likely done in: {eta}")
    rows = [
        (str(item.index), item.file, item.state, str(item.seed), str(item.attempts), item.detail or "")
        for item in job.items
    ]
    print_table(("item", "label map", "state", "seed", "attempts", "detail"), rows)
