"""Runs that begin with trained weights: what is taken, what starts fresh, and what is answered to what does not fit."""

import hashlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from spade.checkpoint import save_network
from spade.config import GeneratorConfig, Upsampling
from spade.errors import CheckpointError
from spade.published_import import PublishedHints, import_generator
from spade.records import record_to_mapping
from spade.training.checkpoints import write_torch_file
from spade.training.config import TrainingConfig
from spade.training.finished import TrainedRun
from spade.training.networks import Networks
from spade.training.presets import complete_config, with_value
from spade.training.published_export import export_published
from spade.training.start import start_from
from spade.training.start_config import StartConfig
from spade.training.state import RunState

NetworksOf = Callable[[TrainingConfig], Networks]
HINTS = PublishedHints(label_nc=3, dont_care=True, instance_edges=False, size=(64, 64), upsampling=Upsampling.NORMAL)


@pytest.fixture
def other_seed(tiny_config: TrainingConfig) -> TrainingConfig:
    """The same architecture with other weights to begin with."""
    return replace(tiny_config, seed=7)


@pytest.fixture
def published(
    vae_config: TrainingConfig, state_of: Callable[[TrainingConfig], RunState], tmp_path: Path
) -> Callable[[TrainingConfig], Path]:
    """A folder of published files of a configuration."""

    def export(config: TrainingConfig = vae_config) -> Path:
        run = TrainedRun.from_checkpoint(state_of(config).to_mapping(), place="a.pt")
        export_published(run, run.networks.generator, tmp_path / "published")
        return tmp_path / "published"

    return export


def changed(config: TrainingConfig, **values: object) -> TrainingConfig:
    """`config` with other values, keys such as `dataset__label_nc`."""
    given: dict[str, Any] = record_to_mapping(config)
    for key, value in values.items():
        given = with_value(given, key.replace("__", "."), value)
    return complete_config(given)


def with_classes(config: TrainingConfig, label_nc: int) -> TrainingConfig:
    values = {f"{section}__label_nc": label_nc for section in ("dataset", "generator")}
    return changed(config, **values, discriminator__in_channels=label_nc + 1 + 3)


def equal(one: nn.Module, other: nn.Module, *, but: tuple[str, ...] = ("nothing",)) -> bool:
    theirs = other.state_dict()
    return all(
        torch.equal(tensor, theirs[name]) for name, tensor in one.state_dict().items() if not name.startswith(but)
    )


def test_a_start_from_published_weights_makes_the_published_generators_pictures(
    published: Callable[..., Path], tiny_config: TrainingConfig, other_seed: TrainingConfig, networks_of: NetworksOf
) -> None:
    file = published(other_seed) / "latest_net_G.pth"
    networks = networks_of(tiny_config)
    assert not equal(networks.generator, networks_of(other_seed).generator)
    start_from(StartConfig(weights=str(file)), networks)
    theirs = import_generator(file, HINTS)
    semantics = nn.functional.one_hot(torch.randint(4, (1, 64, 64)), 4).permute(0, 3, 1, 2).float()
    with torch.inference_mode():
        assert torch.equal(networks.generator.eval()(semantics), theirs(semantics))


def test_discriminator_and_encoder_beside_it_are_taken_too(
    published: Callable[..., Path], vae_config: TrainingConfig, networks_of: NetworksOf
) -> None:
    folder = published(vae_config)
    networks = networks_of(replace(vae_config, seed=7))
    started = start_from(StartConfig(weights=str(folder)), networks)
    for (name, ours), (_, theirs) in zip(networks.named(), networks_of(vae_config).named(), strict=True):
        assert equal(ours, theirs), name
    assert started.notes == tuple(
        f"{name}: starts from {folder}/latest_net_{letter}.pth"
        for name, letter in (("generator", "G"), ("discriminator", "D"), ("encoder", "E"))
    )
    assert started.config.digests == tuple(
        f"{hashlib.sha256((folder / name).read_bytes()).hexdigest()}  {name}"
        for name in ("latest_net_G.pth", "latest_net_D.pth", "latest_net_E.pth")
    )


def test_what_there_are_no_weights_of_starts_fresh_and_is_said(
    published: Callable[..., Path], vae_config: TrainingConfig, networks_of: NetworksOf
) -> None:
    file = (published(vae_config) / "latest_net_G.pth").rename(published(vae_config).parent / "mine.pth")
    networks, fresh = networks_of(replace(vae_config, seed=7)), networks_of(replace(vae_config, seed=7))
    started = start_from(StartConfig(weights=str(file)), networks)
    assert equal(networks.generator, networks_of(vae_config).generator)
    assert networks.encoder is not None
    assert fresh.encoder is not None
    assert equal(networks.discriminator, fresh.discriminator)
    assert equal(networks.encoder, fresh.encoder)
    assert started.notes[1:] == (
        "discriminator: starts fresh, for there are no weights of one",
        "encoder: starts fresh, for there are no weights of one",
    )


def test_a_run_without_an_encoder_says_that_it_has_no_use_for_one(
    published: Callable[..., Path], tiny_config: TrainingConfig, vae_config: TrainingConfig, networks_of: NetworksOf
) -> None:
    encoder = (published(vae_config) / "latest_net_E.pth").rename(published(vae_config).parent / "latest_net_E.pth")
    folder = published(tiny_config)
    encoder.rename(folder / "latest_net_E.pth")
    started = start_from(StartConfig(weights=str(folder)), networks_of(tiny_config))
    assert started.notes[-1] == f"encoder: {folder}/latest_net_E.pth is not used, for this run trains none"


@pytest.mark.parametrize("kind", ["file", "folder", "version"])
def test_a_safetensors_file_and_a_version_give_the_generator(
    tiny_config: TrainingConfig, other_seed: TrainingConfig, networks_of: NetworksOf, tmp_path: Path, kind: str
) -> None:
    file = tmp_path / "model.safetensors"
    save_network(file, networks_of(other_seed).generator)
    weights = {"file": str(file), "folder": str(tmp_path), "version": "mine@1.2"}[kind]
    networks = networks_of(tiny_config)
    start_from(StartConfig(weights=weights), networks, {"mine@1.2": file}.__getitem__)
    assert equal(networks.generator, networks_of(other_seed).generator)


def test_a_checkpoint_of_a_run_gives_all_networks(
    vae_config: TrainingConfig, networks_of: NetworksOf, state_of: Callable[[TrainingConfig], RunState], tmp_path: Path
) -> None:
    (tmp_path / "run" / "checkpoints").mkdir(parents=True)
    path = tmp_path / "run" / "checkpoints" / "step-000000003.pt"
    write_torch_file(state_of(replace(vae_config, seed=7)).to_mapping(), path)
    for weights in (path, tmp_path / "run"):
        networks = networks_of(vae_config)
        started = start_from(StartConfig(weights=str(weights)), networks)
        for (name, ours), (_, theirs) in zip(
            networks.named(), networks_of(replace(vae_config, seed=7)).named(), strict=True
        ):
            assert equal(ours, theirs), name
        assert [digest.split()[1] for digest in started.config.digests] == [path.name]


def test_a_pix2pixhd_generator_starts_from_published_weights_too(
    published: Callable[..., Path], tiny_config: TrainingConfig, networks_of: NetworksOf
) -> None:
    config = changed(tiny_config, pix2pixhd={"base_channels": 2, "blocks": 1})
    folder = published(replace(config, seed=7))
    networks = networks_of(config)
    start_from(StartConfig(weights=str(folder)), networks)
    assert equal(networks.generator, networks_of(replace(config, seed=7)).generator)


def test_other_classes_start_the_layers_that_read_them_fresh(
    published: Callable[..., Path], tiny_config: TrainingConfig, other_seed: TrainingConfig, networks_of: NetworksOf
) -> None:
    folder = published(other_seed)
    config = with_classes(tiny_config, 5)
    networks, fresh, theirs = networks_of(config), networks_of(config), networks_of(other_seed)
    with pytest.raises(CheckpointError, match=r"--start-from-other-classes"):
        start_from(StartConfig(weights=str(folder)), networks)
    assert equal(networks.generator, fresh.generator), "nothing is changed by what is refused"

    started = start_from(StartConfig(weights=str(folder), other_classes=True), networks)
    of_generator = [name for name, _ in networks.generator.named_parameters() if ".shared." in name or "start" in name]
    for name in of_generator:
        assert torch.equal(networks.generator.state_dict()[name], fresh.generator.state_dict()[name]), name
    assert equal(networks.generator, theirs.generator, but=tuple(of_generator))
    of_discriminator = ("scales.0.convolutions.0.", "scales.1.convolutions.0.")
    assert equal(networks.discriminator, theirs.discriminator, but=of_discriminator)
    assert not equal(networks.discriminator, fresh.discriminator)
    assert started.notes[0].endswith("; 19 layers that read the classes start fresh")


@pytest.mark.parametrize(
    ("values", "named"),
    [
        (
            {"generator__base_channels": 4},
            r"latest_net_G\.pth: tensor fc\.weight is float32 \(32, 4, 3, 3\), this configuration has float32 "
            r"\(64, 4, 3, 3\)$",
        ),
        (
            {"discriminator__base_channels": 8},
            r"latest_net_D\.pth: tensor discriminator_0\.model0\.0\.weight is float32 \(4, 7, 4, 4\), this",
        ),
        ({"discriminator__scales": 3}, r"tensor discriminator_2\.model0\.0\.weight is missing, this configuration has"),
        ({"discriminator__scales": 1}, r"tensor scales\.1\..* has no place in this configuration"),
        ({"encoder": {"base_channels": 1, "latent_dim": 4}}, r"tensor fc\.weight is float32 \(32, 4, 3, 3\)"),
    ],
)
def test_the_first_tensor_that_does_not_fit_is_named_with_both_shapes(
    published: Callable[..., Path],
    tiny_config: TrainingConfig,
    networks_of: NetworksOf,
    values: dict[str, object],
    named: str,
) -> None:
    if "encoder" in values:
        values |= {"generator__latent_dim": 4}
    folder = published(tiny_config)
    with pytest.raises(CheckpointError, match=named):
        start_from(StartConfig(weights=str(folder)), networks_of(changed(tiny_config, **values)))


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"upsampling": Upsampling.MORE}, "its generator has upsampling more, this configuration has normal$"),
        ({"output_multiplier": 0.5}, "its generator has output_multiplier 0.5, this configuration has 1.0$"),
        (
            {"label_nc": 4, "dont_care": False},
            "its generator has label_nc 4, this configuration has 3; if the classes are others, say --start-from-other",
        ),
    ],
)
def test_what_shapes_do_not_show_is_held_against_the_files_own_configuration(
    tiny_config: TrainingConfig, networks_of: NetworksOf, tmp_path: Path, change: dict[str, Any], named: str
) -> None:
    from spade.generator import SpadeGenerator

    config: GeneratorConfig = replace(tiny_config.generator, **change)
    save_network(tmp_path / "a.safetensors", SpadeGenerator(config))
    with pytest.raises(CheckpointError, match=named):
        start_from(StartConfig(weights=str(tmp_path / "a.safetensors")), networks_of(tiny_config))


def test_files_that_are_not_those_of_the_digests_are_refused(
    published: Callable[..., Path], tiny_config: TrainingConfig, other_seed: TrainingConfig, networks_of: NetworksOf
) -> None:
    folder = published(tiny_config)
    recorded = start_from(StartConfig(weights=str(folder)), networks_of(tiny_config)).config
    assert start_from(recorded, networks_of(tiny_config)).config == recorded
    published(other_seed)
    with pytest.raises(CheckpointError, match=r"but start\.digests says [0-9a-f]{64}  latest_net_G\.pth, "):
        start_from(recorded, networks_of(tiny_config))


@pytest.mark.parametrize(
    ("weights", "named"),
    [
        ("nowhere/latest_net_G.pth", "nowhere/latest_net_G.pth: there is no such file or folder to start from$"),
        ("mine@9", "mine@9: there is no such file or folder to start from, and there is no model 'mine'"),
    ],
)
def test_weights_that_are_nowhere_are_named(
    tiny_config: TrainingConfig, networks_of: NetworksOf, weights: str, named: str
) -> None:
    def find(reference: str) -> Path:
        raise CheckpointError(f"there is no model {reference.partition('@')[0]!r}")

    with pytest.raises(CheckpointError, match=named):
        start_from(StartConfig(weights=weights), networks_of(tiny_config), find)


def test_of_several_generators_one_has_to_be_named(
    published: Callable[..., Path], tiny_config: TrainingConfig, networks_of: NetworksOf
) -> None:
    folder = published(tiny_config)
    first = (folder / "latest_net_G.pth").rename(folder / "10_net_G.pth")
    assert start_from(StartConfig(weights=str(folder)), networks_of(tiny_config)).notes[0].endswith("10_net_G.pth")
    (folder / "20_net_G.pth").write_bytes(first.read_bytes())
    with pytest.raises(CheckpointError, match=r"several generators; name one of 10_net_G\.pth, 20_net_G\.pth"):
        start_from(StartConfig(weights=str(folder)), networks_of(tiny_config))


def test_weights_of_another_network_or_of_half_precision_are_told_apart(
    published: Callable[..., Path], tiny_config: TrainingConfig, networks_of: NetworksOf, tmp_path: Path
) -> None:
    folder = published(tiny_config)
    with pytest.raises(CheckpointError, match="this is a discriminator"):
        start_from(StartConfig(weights=str(folder / "latest_net_D.pth")), networks_of(tiny_config))
    state: dict[str, Tensor] = torch.load(folder / "latest_net_G.pth", weights_only=True)
    torch.save(
        {name: tensor.half() if tensor.is_floating_point() else tensor for name, tensor in state.items()},
        tmp_path / "half.pth",
    )
    start_from(StartConfig(weights=str(tmp_path / "half.pth")), networks_of(tiny_config))
