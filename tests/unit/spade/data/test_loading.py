"""Batches: the same for any number of workers, resumable, and with errors of one line."""

import multiprocessing
import os
import signal
from dataclasses import replace

import numpy as np
import pytest
import torch

from spade.data import loading
from spade.data.config import Mode, Phase, Preprocess
from spade.data.dataset import LabelledPictures
from spade.data.errors import DatasetError, ReaderLostError, lost_readers_told
from spade.data.loading import LoadingConfig, label_batches, picture_batches, training_batches
from spade.data.presets import PRESETS
from spade.data.samples import Sample, collate_labels
from spade.data.sampling import EpochSampler
from spade.errors import ConfigError

COUNT = 7


@pytest.fixture
def config(tree):
    random = np.random.default_rng(1)
    for number in range(COUNT):
        tree.ids(f"train_label/{number}.png", random.integers(0, 13, (20, 24)))
        tree.ids(f"train_inst/{number}.png", random.integers(0, 99, (20, 24)))
        tree.picture(f"train_img/{number}.png", random.integers(0, 256, (20, 24, 3)))
    config = PRESETS[Mode.CUSTOM](str(tree.root)).dataset
    return replace(config, load_size=20, crop_size=16, instance_edges=True)


def sampler(**changes):
    return EpochSampler(**{"length": COUNT, "seed": 3, "epoch": 1} | changes)


def batches(config, workers=0, size=2, **changes):
    data = LabelledPictures(config, Phase.TRAIN, seed=3)
    return list(training_batches(data, sampler(**changes), LoadingConfig(batch_size=size, workers=workers)))


def assert_equal(one, other):
    assert [batch.names for batch in one] == [batch.names for batch in other]
    for ours, theirs in zip(one, other, strict=True):
        for name in ("labels", "instances", "pictures"):
            assert torch.equal(getattr(ours, name), getattr(theirs, name))


def test_batches_hold_tensors_of_their_kinds(config):
    (batch, *_) = batches(config)
    assert (batch.labels.dtype, batch.labels.shape) == (torch.int64, (2, 16, 16))
    assert (batch.instances.dtype, batch.instances.shape) == (torch.int64, (2, 16, 16))
    assert (batch.pictures.dtype, batch.pictures.shape) == (torch.float32, (2, 3, 16, 16))
    assert len(batch) == len(batch.names) == 2


@pytest.mark.parametrize("workers", [1, 2])
def test_batches_do_not_depend_on_the_number_of_workers(config, workers):
    assert_equal(batches(config, workers=workers), batches(config))


def test_an_epoch_goes_on_as_if_never_interrupted(config):
    assert_equal(batches(config, start=4), batches(config)[2:])


def test_two_processes_take_together_what_one_would(config):
    one = [set(batch.names) for batch in batches(config)]
    two = [batches(config, size=1, rank=rank, world_size=2) for rank in range(2)]
    assert [{*left.names, *right.names} for left, right in zip(*two, strict=True)] == one


def test_reading_leaves_the_random_state_of_the_training_alone(config):
    before = torch.get_rng_state()
    batches(config, workers=1)
    assert torch.equal(torch.get_rng_state(), before)


def test_training_drops_what_fills_no_batch_and_evaluation_does_not(config):
    assert [len(batch) for batch in batches(config, size=3)] == [3, 3]
    data = LabelledPictures(config, Phase.TRAIN)
    rest = picture_batches(data, sampler(shuffle=False), LoadingConfig(batch_size=3))
    assert [len(batch) for batch in rest] == [3, 3, 1]
    assert len(rest) == 3


def test_label_maps_are_read_without_pictures(config):
    data = LabelledPictures(config, Phase.TRAIN, pictures=False)
    (first, *_) = label_batches(data, sampler(shuffle=False), LoadingConfig(batch_size=3))
    assert first.names == ("0", "1", "2")
    assert not hasattr(first, "pictures")
    with pytest.raises(DatasetError, match="there is no picture, which training needs"):
        list(training_batches(data, sampler(), LoadingConfig()))


@pytest.mark.parametrize("workers", [0, 1])
def test_an_error_arrives_as_one_line_also_from_a_worker(config, tree, workers):
    path = tree.ids("train_label/3.png", 77, (20, 24))
    with pytest.raises(DatasetError) as caught:
        batches(config, workers=workers)
    assert str(caught.value).startswith(f"{path}: ids that are not of this dataset: 77 (480 pixels)")
    assert "\n" not in str(caught.value)


def test_a_dataset_that_fills_no_batch_is_refused(config):
    with pytest.raises(DatasetError, match="the dataset has 7 samples, which do not fill one batch of 4 in each of 2"):
        batches(config, size=4, world_size=2)
    with pytest.raises(DatasetError, match="which do not fill one batch of 8; choose"):
        batches(config, size=8)


def test_samples_of_different_sizes_are_refused_by_name(config, tree):
    tree.ids("train_label/3.png", 1, (20, 40))
    tree.ids("train_inst/3.png", 1, (20, 40))
    tree.picture("train_img/3.png", size=(20, 40))
    with pytest.raises(DatasetError, match="samples of one batch must be of one size") as caught:
        batches(replace(config, preprocess=Preprocess.SCALE_WIDTH), size=7)
    assert "3 is 20x10" in str(caught.value)


def test_some_instance_maps_and_some_not_are_refused():
    labels = np.zeros((2, 2), dtype=np.int64)
    samples = [Sample(labels=labels, instances=one, picture=None, name="a") for one in (labels, None)]
    with pytest.raises(DatasetError, match="only 1 of 2 samples of one batch have an instance map"):
        collate_labels(samples)


def test_a_batch_moves_to_a_device(config):
    batch = batches(config)[0].to(torch.device("meta"))
    assert batch.labels.is_meta
    assert batch.pictures.is_meta
    assert batch.names == batches(config)[0].names


@pytest.mark.parametrize("values", [{"batch_size": 0}, {"workers": -1}, {"prefetch": 0}])
def test_values_out_of_range_are_refused(values):
    with pytest.raises(ConfigError):
        LoadingConfig(**values)


def worker_and_batches(config):
    """The one worker, which has more than one batch to make yet, and what is to come of it."""
    data = LabelledPictures(config, Phase.TRAIN, seed=3)
    coming = iter(training_batches(data, sampler(), LoadingConfig(batch_size=2, workers=1, prefetch=1)))
    before = multiprocessing.active_children()
    first = next(coming)
    (worker,) = (process for process in multiprocessing.active_children() if process not in before)
    return worker, first, coming


def test_a_worker_leaves_sigterm_to_the_training_process(config):
    worker, first, coming = worker_and_batches(config)
    worker.terminate()
    assert_equal([first, *coming], batches(config))


def test_a_worker_that_has_only_begun_leaves_sigterm_to_the_training_process(config, monkeypatch):
    begin = loading._quiet_worker

    def terminated_before_it_begins(worker):
        os.kill(os.getpid(), signal.SIGTERM)
        begin(worker)

    monkeypatch.setattr(loading, "_quiet_worker", terminated_before_it_begins)
    assert_equal(batches(config, workers=1), batches(config))


def test_a_worker_that_is_killed_is_told_of_by_one_line(config):
    worker, _, coming = worker_and_batches(config)
    worker.kill()
    with pytest.raises(ReaderLostError) as told, lost_readers_told():
        list(coming)
    assert str(told.value).startswith("a process that reads samples is gone: DataLoader worker (pid")
    assert str(told.value).endswith("; if memory is short, lower workers")
    with pytest.raises(RuntimeError, match="another"), lost_readers_told():
        raise RuntimeError("another")
