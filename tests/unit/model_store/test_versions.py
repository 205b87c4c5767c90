"""Versions that several writers add at once."""

import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

from model_store.errors import CardError
from model_store.registry import Registry
from model_store.versions import copy_version, files_of, require_digest
from support.models import add_small_model

ROUNDS = 20


def test_of_two_that_add_the_same_version_at_once_one_is_refused_and_the_other_is_whole(tmp_path: Path) -> None:
    sources = []
    for width in (4, 8):
        folder = tmp_path / f"source-{width}"
        add_small_model(folder, "small", "1", hidden_channels=width)
        sources.append(folder / "small" / "1")
    models = tmp_path / "models"
    start = Barrier(2)

    def add(source: Path) -> bool:
        start.wait()
        try:
            copy_version(source, models)
        except CardError:
            return False
        return True

    with ThreadPoolExecutor(2) as pool:
        for _ in range(ROUNDS):
            assert sorted(pool.map(add, sources)) == [False, True]
            card = Registry(models).resolve("small")
            for name, info in files_of(card).items():
                require_digest(models / "small" / "1" / name, info, card)
            shutil.rmtree(models / "small")
