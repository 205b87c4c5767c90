"""`spade-serve models`: versions of models, of a running service, in a models folder and in the object store."""

import threading
from pathlib import Path

import click

from deploy.card_commands import seal, thumbnails
from deploy.errors import DeployError
from deploy.local.signals import stopped_by_signals
from deploy.model_transfer import TransferError, choose_stored, pull, push, stored_cards
from deploy.options import key_option, print_json, print_table, printable, service_url, state_option, url_option
from deploy.quantities import write_size
from deploy.store_access import service_settings
from model_store.card import ModelCard
from model_store.errors import CardError, WeightsError
from model_store.options import models_dir_option, open_registry
from model_store.registry import LATEST, Registry, default_models_folder
from model_store.versions import copy_version, remove_version
from spade.errors import SpadeError
from spade.options import json_option
from workers.errors import ServiceError
from workers.storage import ObjectStore


@click.group()
def models() -> None:
    """List, add, seal, show, remove, share and verify versions of models.

    A model is named NAME, which means its newest version, NAME@latest, which means the same, or NAME@VERSION. A service
    takes a version that is added to its models folder for new jobs at once; jobs that were accepted before keep theirs.

    \b
    Examples:
        spade-serve models list
        spade-serve models push landscape
    """


models.add_command(seal)
models.add_command(thumbnails)


@models.command("list")
@url_option
@key_option
@state_option
@json_option
def list_command(url: str | None, key: str | None, state: Path, as_json: bool) -> None:
    """List the models that the service has.

    \b
    Example:
        spade-serve models list
    """
    from api.client import SpadeClient  # its packages are the API's; a worker's image, which pulls models, lacks them

    with SpadeClient(service_url(url, state), key=key) as client:
        answer = client.models()
    for model in answer.unusable:
        click.echo(f"Warning: {printable(model.detail)}", err=True)
    if as_json:
        print_json(answer.model_dump(mode="json"))
        return
    columns = ("model", "training", "size", "classes", "title", "styles")
    rows = [
        (
            f"{model.name}@{model.version}",
            model.training,
            f"{model.size.width}x{model.size.height}",
            str(len(model.classes)),
            model.title,
            ", ".join(model.styles),
        )
        for model in answer.models
    ]
    print_table(columns, rows)


@models.command()
@click.argument("reference")
@models_dir_option
@json_option
def show(reference: str, models_dir: Path | None, as_json: bool) -> None:
    """Show the card of a model in the models folder.

    \b
    Example:
        spade-serve models show landscape
    """
    card = open_registry(models_dir).resolve(reference)
    if as_json:
        print_json(card.to_dict())
        return
    generator = card.generator
    rows = [
        ("model", f"{card.reference}, {card.training}"),
        ("title", card.title),
        ("description", card.description),
        ("licence", card.licence),
        ("data", card.data),
        ("size", f"{card.width}x{card.height}"),
        ("channels", f"{generator.base_channels} base, {generator.hidden_channels} hidden"),
        ("latent", "none" if generator.latent_dim is None else str(generator.latent_dim)),
        ("classes", ", ".join(label_class.name for label_class in card.classes)),
        ("styles", ", ".join(card.styles_by_name) or "none"),
        ("weights", f"{write_size(card.weights.bytes)}, sha256 {card.weights.sha256}"),
    ]
    if card.encoder is not None:
        rows.append(("encoder", f"{write_size(card.encoder.weights.bytes)}, sha256 {card.encoder.weights.sha256}"))
    if card.measured is not None:
        measured = card.measured
        of = f"{measured.pictures} of {measured.dataset}, {measured.split}, {measured.width}x{measured.height}"
        rows += [("measured on", of), *((figure.title, figure.shown) for figure in measured.figures)]
    print_table(("", ""), rows)


@models.command()
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@models_dir_option
def add(folder: Path, models_dir: Path | None) -> None:
    """Add the version in FOLDER, its card.json and weights, to the models folder.

    \b
    Example:
        spade-serve models add ~/Downloads/landscape/3
    """
    card = copy_version(folder, models_dir or default_models_folder())
    click.echo(f"{card.reference} is added")


@models.command()
@click.argument("reference")
@models_dir_option
def remove(reference: str, models_dir: Path | None) -> None:
    """Remove a version, NAME@VERSION, from the models folder; the newest of the rest is the latest then.

    Items that still wait for it fail: when their turn comes while workers have other versions of the model, and about a
    quarter of an hour after its last version is gone from every worker. Models that ship with the program stay.

    \b
    Example:
        spade-serve models remove landscape@3
    """
    name, _, version = reference.partition("@")
    if version in ("", LATEST):
        raise click.UsageError(f"say which version: {name}@VERSION")
    remove_version(models_dir or default_models_folder(), name, version)
    click.echo(f"{reference} is removed")


@models.command("push")
@click.argument("reference")
@models_dir_option
@state_option
def push_command(reference: str, models_dir: Path | None, state: Path) -> None:
    """Put a version into the object store, from which other machines pull it.

    \b
    Example:
        spade-serve models push landscape
    """
    registry = open_registry(models_dir)
    card = registry.resolve(reference)
    pushed = push(registry, card, _objects(state))
    click.echo(f"{card.reference} is in the store{'' if pushed else ' already'}")


@models.command("pull")
@click.argument("reference", required=False)
@click.option("--all", "all_of_them", is_flag=True, help="Every version that the store has.")
@click.option("--cards", "only_cards", is_flag=True, help="Without weights, which an API does not need.")
@click.option(
    "--every",
    "seconds",
    type=click.IntRange(1),
    metavar="SECONDS",
    help="Look for more each time they have passed, until Ctrl-C; what fails is told, and tried again.",
)
@models_dir_option
@state_option
def pull_command(
    reference: str | None,
    all_of_them: bool,
    only_cards: bool,
    seconds: int | None,
    models_dir: Path | None,
    state: Path,
) -> None:
    """Bring a version from the object store into the models folder, verified.

    Files that are there already are held against their size only; `spade-serve models verify` reads them. With --all, a
    version that cannot be used, or brought, is told and left out, and keeps nobody from the others.

    \b
    Examples:
        spade-serve models pull landscape@3
        spade-serve models pull --all --every 60
        spade-serve models pull --all --cards
    """
    if (reference is None) != all_of_them:
        raise click.UsageError("name a model, or say --all")
    folder = models_dir or default_models_folder()
    if seconds is None:
        _pull(reference, _objects(state), folder, only_cards=only_cards, tell_all=True)
        return
    stopped = threading.Event()
    stopped_by_signals(stopped.set)
    objects = ObjectStore(service_settings(state).storage)
    while not stopped.is_set():
        try:
            _pull(reference, objects, folder, only_cards=only_cards, tell_all=False)
        except (DeployError, ServiceError, SpadeError, OSError) as error:
            click.echo(f"models are not pulled: {error}; next try in {seconds} s", err=True)
        stopped.wait(seconds)


@models.command()
@click.argument("reference", required=False)
@models_dir_option
def verify(reference: str | None, models_dir: Path | None) -> None:
    """Read a model's weights, or all models', and hold them against their cards.

    \b
    Example:
        spade-serve models verify
    """
    registry = open_registry(models_dir)
    wrong: list[SpadeError | OSError] = []
    for card in registry.cards() if reference is None else [registry.resolve(reference)]:
        try:
            click.echo(f"{card.reference}: {_verified(registry, card)}")
        except (SpadeError, OSError) as error:
            wrong.append(error)
    if reference is None:
        wrong += registry.unusable()
    for one in wrong[:-1]:
        click.echo(f"Error: {one}", err=True)
    if wrong:
        raise wrong[-1]


def _verified(registry: Registry, card: ModelCard) -> str:
    """Raises WeightsError, CheckpointError."""
    if card.weights.seed is not None and not registry.weights_file(card).exists():
        return "weights not drawn yet"
    from model_store.loading import load_described_encoder, load_described_generator

    load_described_generator(registry, card)
    if card.encoder is not None:
        load_described_encoder(registry, card)
    return "as its card says"


def _pull(reference: str | None, objects: ObjectStore, models_dir: Path, *, only_cards: bool, tell_all: bool) -> None:
    """Tells of each version that is added, and if it is to `tell_all` of those that were there.

    Of all versions those that cannot be used are told too, and left out: one of them must not keep a new pod from its
    start. Nor must one that cannot be brought keep away those after it. Raises ServiceError: where the store is away.
    TransferError: at the end, where one could not be brought. Of one version, raises as `pull` does too.
    """
    if reference is not None:
        _pull_one(choose_stored(objects, reference), objects, models_dir, only_card=only_cards, tell_all=tell_all)
        return
    cards, wrong = stored_cards(objects)
    failed = 0
    for error in wrong:
        _warn(error)
        failed += isinstance(error, ServiceError)
    for card in cards:
        try:
            _pull_one(card, objects, models_dir, only_card=only_cards, tell_all=tell_all)
        except (CardError, WeightsError, TransferError) as error:
            _warn(error)
        except (ServiceError, OSError) as error:
            _warn(error)
            failed += 1
    if failed:
        raise TransferError(f"{failed} of the store's versions could not be brought; see the warnings, then pull again")


def _pull_one(card: ModelCard, objects: ObjectStore, models_dir: Path, *, only_card: bool, tell_all: bool) -> None:
    if pull(objects, card, models_dir, only_card=only_card):
        click.echo(f"{card.reference} is added")
    elif tell_all:
        click.echo(f"{card.reference} is there already")


def _warn(error: Exception) -> None:
    click.echo(f"Warning: left out: {printable(str(error))}", err=True)


def _objects(state: Path) -> ObjectStore:
    """The object store, which has answered."""
    objects = ObjectStore(service_settings(state).storage)
    objects.ping()
    return objects
