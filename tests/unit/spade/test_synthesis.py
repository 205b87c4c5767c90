import dataclasses
import gc
import weakref
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn

from spade.benchmarks.plain import plain_pictures
from spade.checkpoint import load_generator, save_network
from spade.config import GeneratorConfig, Norm
from spade.engine.convolutions import DirectConvolution
from spade.errors import ConfigError, OutOfMemoryError
from spade.generator import SpadeGenerator
from spade.synthesis import Synthesizer, latent_from_seed
from support.generators import settled_generator


def synthesizer(config: GeneratorConfig) -> Synthesizer:
    """A generator whose pictures have contrast, on the CPU."""
    torch.manual_seed(0)
    generator = SpadeGenerator(config)
    with torch.no_grad():
        generator.to_image.weight *= 5
    return Synthesizer(generator, device=torch.device("cpu"))


def maps(config: GeneratorConfig, batch: int) -> NDArray[np.uint16]:
    blocks = np.random.default_rng(0).integers(0, config.label_nc + 1, (batch, 4, 8))
    return np.kron(blocks, np.ones((1, 8, 8))).astype(np.uint16)


@pytest.fixture(params=list(Norm))
def with_latent(tiny: GeneratorConfig, request: pytest.FixtureRequest) -> GeneratorConfig:
    return dataclasses.replace(tiny, latent_dim=6, norm=request.param, base_channels=2)


def test_pictures_do_not_depend_on_what_else_is_in_the_batch(with_latent: GeneratorConfig) -> None:
    model, label_maps, seeds = synthesizer(with_latent), maps(with_latent, 5), [7, 8, 9, 10, 11]
    together = model.synthesize(label_maps, None, seeds)
    assert together.shape == (5, 32, 64, 3)
    assert together.dtype == np.uint8
    assert together.std() > 10
    for number, seed in enumerate(seeds):
        alone = model.synthesize(label_maps[number : number + 1], None, [seed])[0]
        assert np.abs(together[number].astype(int) - alone).max() <= 1


def test_the_seed_decides_the_picture_and_nothing_else_does(with_latent: GeneratorConfig) -> None:
    model, label_map = synthesizer(with_latent), maps(with_latent, 1)
    first, again, other = (model.synthesize(label_map, None, [seed]) for seed in (3, 3, 4))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_pixels_are_the_outputs_truncated_to_bytes(tiny: GeneratorConfig) -> None:
    generator, label_map = settled_generator(), maps(tiny, 1).repeat(2, axis=1)
    output = (
        plain_pictures(generator, torch.from_numpy(label_map.astype(np.int64)), None, None)[0].permute(1, 2, 0).numpy()
    )
    model = Synthesizer(generator, device=torch.device("cpu"))
    assert np.abs(model.synthesize(label_map, None, [0])[0] - np.floor((output + 1) / 2 * 255)).max() <= 1


def test_the_ends_of_the_range_become_black_and_white(tiny: GeneratorConfig) -> None:
    generator = SpadeGenerator(tiny)
    nn.init.zeros_(generator.to_image.weight)
    with torch.no_grad():
        generator.to_image.bias.copy_(torch.tensor([-100.0, 0.0, 100.0]))
    pixels = Synthesizer(generator, device=torch.device("cpu")).synthesize(maps(tiny, 1), None, [0])
    assert pixels.reshape(-1, 3).max(axis=0).tolist() == [0, 127, 255]


def test_an_instance_map_changes_the_picture_only_of_a_model_that_reads_it(tiny: GeneratorConfig) -> None:
    label_map = np.zeros((1, 32, 64), np.uint16)
    instances = np.arange(2048, dtype=np.int32).reshape(1, 32, 64) // 64
    reads = synthesizer(tiny)
    assert not np.array_equal(reads.synthesize(label_map, None, [0]), reads.synthesize(label_map, instances, [0]))
    ignores = synthesizer(dataclasses.replace(tiny, instance_edges=False))
    assert np.array_equal(ignores.synthesize(label_map, None, [0]), ignores.synthesize(label_map, instances, [0]))


def test_another_size_fits_where_there_is_no_latent(tiny: GeneratorConfig) -> None:
    assert synthesizer(tiny).synthesize(np.zeros((1, 64, 96), np.uint8), None, [0]).shape == (1, 64, 96, 3)


def test_inputs_that_do_not_go_together_are_refused(tiny: GeneratorConfig) -> None:
    model, label_maps = synthesizer(tiny), maps(tiny, 2)
    with pytest.raises(ConfigError, match="1 seeds"):
        model.synthesize(label_maps, None, [0])
    with pytest.raises(ConfigError, match=r"\(1, 32, 64\) instance maps"):
        model.synthesize(label_maps, label_maps[:1].astype(np.int32), [0, 0])
    with pytest.raises(ConfigError, match="33x32"):
        model.synthesize(np.zeros((1, 32, 33), np.uint8), None, [0])
    with pytest.raises(ConfigError, match="id 5 is out of range"):
        model.synthesize(np.full((1, 32, 64), 5, np.uint8), None, [0])


def test_weights_of_a_file_are_let_go_once_the_engine_has_its_own(
    tiny: GeneratorConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded: list[weakref.ref[nn.Parameter]] = []

    def watched(path: Path) -> SpadeGenerator:
        generator = load_generator(path)
        loaded.extend(weakref.ref(parameter) for parameter in generator.parameters())
        return generator

    monkeypatch.setattr("spade.synthesis.load_generator", watched)
    save_network(tmp_path / "tiny.safetensors", SpadeGenerator(tiny))
    gc.disable()  # so that they go at once, not some time
    try:
        model = Synthesizer.from_file(tmp_path / "tiny.safetensors", device=torch.device("cpu"))
        left = sum(parameter() is not None for parameter in loaded)
    finally:
        gc.enable()
    assert loaded
    assert left == 0
    assert model.synthesize(maps(tiny, 1), None, [0]).shape == (1, 32, 64, 3)


def test_latents_are_standard_normal_and_seeds_have_bounds() -> None:
    z = latent_from_seed(2**63 - 1, 10_000)
    assert abs(float(z.mean())) < 0.05
    assert abs(float(z.std()) - 1) < 0.05
    assert z.equal(latent_from_seed(2**63 - 1, 10_000))
    for seed in (-1, 2**63):
        with pytest.raises(ConfigError, match=f"seed {seed}"):
            latent_from_seed(seed, 4)


def test_latents_of_a_seed_stay_what_they_are() -> None:
    assert latent_from_seed(1, 4).tolist() == pytest.approx([0.6614, 0.2669, 0.0617, 0.6213], abs=1e-4)


class _NeedsAPetabyte:
    border = 0

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        return x + torch.empty(2**50, dtype=torch.uint8)


def test_running_out_of_memory_is_said_in_words_of_our_own(tiny: GeneratorConfig) -> None:
    model = synthesizer(tiny)
    model._maker._to_image = _NeedsAPetabyte()
    with pytest.raises(OutOfMemoryError, match="not enough memory for a batch of 2 pictures of 64x32"):
        model.synthesize(maps(tiny, 2), None, [0, 0])


def test_out_of_memory_of_an_accelerator_is_translated_too(tiny: GeneratorConfig) -> None:
    class Full:
        border = 0

        def __call__(self, x: torch.Tensor) -> torch.Tensor:
            raise torch.cuda.OutOfMemoryError(f"CUDA out of memory for {x.shape}")

    model = synthesizer(tiny)
    model._maker._to_image = Full()
    with pytest.raises(OutOfMemoryError, match="not enough memory"):
        model.synthesize(maps(tiny, 1), None, [0])


def test_other_errors_of_torch_are_left_alone(tiny: GeneratorConfig) -> None:
    model = synthesizer(tiny)
    model._maker._to_image = DirectConvolution(torch.zeros(3, 99, 3, 3), None)
    with pytest.raises(RuntimeError, match="channels"):
        model.synthesize(maps(tiny, 1), None, [0])
