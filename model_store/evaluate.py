"""The command `spade evaluate`."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console
from rich.markup import escape
from rich.progress import Progress
from rich.table import Column, Table

from model_store.measuring import note_in_card, require_card_of
from model_store.options import models_dir_option, open_registry
from spade.data.options import PHASES, dataset_options
from spade.evaluation.dataset_options import DatasetChoice
from spade.options import Size, json_option

if TYPE_CHECKING:
    from spade.evaluation.judged_model import JudgedModel
    from spade.evaluation.report import Pictures, Protocol, Report
    from spade.evaluation.run import EvaluationRequest

PATH = click.Path(path_type=Path)


@click.command()
@click.argument("pictures", required=False, type=PATH)
@click.option("--model", help="Judge the pictures of this model, name@version or .safetensors, instead of a folder's.")
@dataset_options
@click.option("--phase", type=click.Choice(PHASES), default="val", show_default=True, help="Part of the dataset.")
@click.option("--reference", type=PATH, help="A folder of photographs to compare with, instead of a dataset.")
@click.option("--fid-phase", type=click.Choice(PHASES), help="Part whose photographs FID and KID use; as --phase.")
@click.option("--size", type=Size(), help="Size at which all is compared, width x height; else that of the pictures.")
@click.option("--inception", type=PATH, help="pt_inception-2015-12-05-6726825d.pth, for FID and KID.")
@click.option(
    "--inception-resize",
    type=click.Choice(["bilinear", "bicubic-antialias"]),
    default="bilinear",
    show_default=True,
    help="Filter to 299x299: as pytorch-fid, or as clean-fid.",
)
@click.option("--lpips", type=PATH, help="alexnet-owt-*.pth or vgg16-*.pth in torchvision's layout, for LPIPS.")
@click.option("--lpips-network", type=click.Choice(["alex", "vgg"]), default="alex", show_default=True)
@click.option("--lpips-layers", type=PATH, help="LPIPS's own layers; those that torchmetrics carries if not given.")
@click.option("--segmenter", type=PATH, help="A file of `spade train-segmenter`, for mIoU and accuracy.")
@click.option("--predicted-labels", type=PATH, help="Label maps of the pictures by any other segmenter.")
@click.option("--kid-subsets", type=click.IntRange(min=1), default=100, show_default=True)
@click.option("--kid-subset-size", type=click.IntRange(min=2), default=1000, show_default=True)
@click.option("--seed", type=click.IntRange(0, 2**62), default=0, show_default=True, help="Of pictures, and of KID.")
@click.option("--batch-size", type=click.IntRange(min=1), default=4, show_default=True, help="Pictures at a time.")
@click.option("--workers", type=click.IntRange(min=0), default=0, show_default=True, help="Processes that read ahead.")
@click.option("--device", metavar="auto|cpu|cuda|mps", default="auto", show_default=True, help="Where to compute.")
@models_dir_option
@click.option("-o", "--output", type=PATH, help="Write the report as JSON to this file too.")
@click.option(
    "--card",
    "card_folder",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Note the figures in the card.json in this folder too, which must be the model's.",
)
@json_option
def evaluate(
    pictures: Path | None,
    output: Path | None,
    card_folder: Path | None,
    as_json: bool,
    **options: Any,  # noqa: ANN401 - of the dataset and of the judges
) -> None:
    """Measure how good generated pictures are: FID, KID, LPIPS, mIoU, pixel accuracy, diversity, reconstruction.

    PICTURES is a folder of pictures named as the samples of the dataset, or a folder of `spade test`; with --model
    the pictures are made instead. Weights of the judging networks come from local files, nothing is downloaded; what
    cannot be measured without a file is left out, and the report says so.

    The report tells the protocol, which moves the numbers: split, sizes, filters, ignored id, digests, versions, seeds.

    \b
    Examples:
      spade evaluate results/ --dataset custom --dataroot camvid --label-nc 11 --dont-care --segmenter s.safetensors
      spade evaluate --model mine.safetensors --dataset custom --dataroot camvid --segmenter s.safetensors -o r.json
      spade evaluate out/ --reference photographs/ --inception pt_inception-2015-12-05-6726825d.pth --json
    """
    _require_one_of_each(pictures, options)
    if card_folder is not None and options["model"] is None:
        raise click.UsageError("--card needs --model, whose card it is")
    try:
        request = _request(pictures, options)
    except ModuleNotFoundError as error:
        install = "pip install -c constraints.txt -e '.[train]'"
        raise click.ClickException(f"{error.name} is missing, which the extra [train] brings: {install}") from error
    weights_sha256 = "" if isinstance(request.generated, Path) else request.generated.sha256
    if card_folder is not None:  # before the pictures, which take their time
        require_card_of(card_folder, weights_sha256)
    report = _run(request)
    if as_json:
        click.echo(report.to_json(), nl=False)
    else:
        _print(report)
    if output is not None:  # last, lest a file that cannot be written takes the results with it
        report.write(output)
    if card_folder is not None:
        note_in_card(report, card_folder, weights_sha256)


def _require_one_of_each(pictures: Path | None, options: dict[str, Any]) -> None:
    if (pictures is None) == (options["model"] is None):
        raise click.UsageError("give either PICTURES, a folder, or --model")
    if (options["mode"] is None) == (options["reference"] is None):
        raise click.UsageError("give either --dataset or --reference, what to compare with")


def _request(pictures: Path | None, options: dict[str, Any]) -> "EvaluationRequest":
    # torch takes a second to load, which --help should not wait for.
    from spade.data.config import Phase
    from spade.data.loading import LoadingConfig
    from spade.device import pick_device
    from spade.evaluation.inception import Resize
    from spade.evaluation.judging import JudgeFiles
    from spade.evaluation.kernel_distance import KernelSubsets
    from spade.evaluation.lpips import Backbone
    from spade.evaluation.run import EvaluationRequest

    choice = DatasetChoice.taken_from(options)
    files = JudgeFiles(
        inception=options["inception"],
        inception_resize=Resize(options["inception_resize"]),
        lpips=options["lpips"],
        lpips_network=Backbone(options["lpips_network"]),
        lpips_layers=options["lpips_layers"],
        segmenter=options["segmenter"],
        predicted_labels=options["predicted_labels"],
    )
    seed, fid_phase = options["seed"], options["fid_phase"]
    return EvaluationRequest(
        generated=pictures or _model(options),
        reference=options["reference"] or choice,
        phase=Phase(options["phase"]),
        distribution_phase=fid_phase and Phase(fid_phase),
        size=options["size"],
        files=files,
        kid=KernelSubsets(count=options["kid_subsets"], size=options["kid_subset_size"], seed=seed),
        seed=seed,
        loading=LoadingConfig(batch_size=options["batch_size"], workers=options["workers"]),
        device=pick_device(options["device"]),
    )


def _model(options: dict[str, Any]) -> "JudgedModel":
    from model_store.described import weights_digest
    from model_store.loading import load_described_encoder
    from model_store.offline import open_model
    from spade.evaluation.judged_model import JudgedModel

    registry = open_registry(options["models_dir"])
    opened = open_model(options["model"], registry, device=options["device"])
    card = opened.card
    return JudgedModel(
        reference=opened.reference,
        sha256=weights_digest(opened),
        synthesizer=opened.synthesizer,
        encoder=None if card is None or card.encoder is None else load_described_encoder(registry, card),
        class_names=opened.class_names,
    )


def _run(request: "EvaluationRequest") -> "Report":
    from spade.evaluation.run import run_evaluation

    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("pictures")
        return run_evaluation(
            request,
            on_total=lambda total: progress.update(task, total=total),
            on_pictures=lambda count: progress.update(task, advance=count),
        )


def _print(report: "Report") -> None:
    console = Console()
    table = Table("metric", "value", "better", Column("how", overflow="fold"))
    for metric in report.metrics:
        better = "higher" if metric.higher_is_better else "lower"
        table.add_row(metric.title, metric.shown, better, ", ".join(_shown(metric.details)))
    for left_out in report.left_out:
        table.add_row(left_out.title, "left out", "", escape(left_out.reason), style="dim")
    console.print(table)
    _print_iou(console, report)
    _print_protocol(console, report.protocol)


def _shown(details: Mapping[str, Any]) -> Iterator[str]:
    for name, value in details.items():
        if not isinstance(value, Mapping):
            shown = f"{value:.4f}" if isinstance(value, float) else str(value)
            yield f"{name.replace('_', ' ')} {shown}"


def _print_iou(console: Console, report: "Report") -> None:
    columns = {
        metric.title.removeprefix("m"): metric.details["iou"] for metric in report.metrics if "iou" in metric.details
    }
    if not columns:
        return
    table = Table("class", *columns)
    for name in next(iter(columns.values())):
        values = [iou[name] for iou in columns.values()]
        table.add_row(escape(name), *("does not occur" if value is None else f"{value:.1%}" for value in values))
    console.print(table)


def _print_protocol(console: Console, protocol: "Protocol") -> None:
    sides = {
        "generated": protocol.generated,
        "reference": protocol.reference,
        "FID and KID reference": protocol.distribution_reference,
    }
    facts = {name: _side(side) for name, side in sides.items() if side is not None}
    facts["compared at"] = f"{protocol.width}x{protocol.height}, label maps by {protocol.label_resize}"
    if protocol.inception_resize is not None:
        facts["to Inception's 299x299"] = protocol.inception_resize
    facts["ignored id"] = "none" if protocol.ignored_id is None else str(protocol.ignored_id)
    facts |= {weights.role: f"{weights.file}, sha256 {weights.sha256}" for weights in protocol.weights}
    facts["versions"] = ", ".join(f"{package} {version}" for package, version in protocol.versions.items())
    for name, value in facts.items():
        console.print(f"{name}: {value}", markup=False, highlight=False, soft_wrap=True)


def _side(side: "Pictures") -> str:
    parts = [f"{side.count} of {side.source}", side.split and f"split {side.split}", side.resize]
    parts.append(None if side.seed is None else f"seeds from {side.seed}")
    return ", ".join(part for part in parts if part)
