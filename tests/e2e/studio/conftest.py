"""One service for all tests of the studio, with the real models, and one browser for each file of them."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from deploy.local.stack import LocalStack, running
from deploy.store_access import service_settings
from support.browser import open_browser
from support.studio import StudioPage, open_studio
from workers.storage import ObjectStore


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory, models_dir: Path) -> Iterator[LocalStack]:
    environment = {**os.environ, "SPADE_MODELS_DIR": str(models_dir), "SPADE_DEVICE": "cpu"}
    with running(
        LocalStack(tmp_path_factory.mktemp("studio"), environment=environment, report=lambda _: None)
    ) as stack:
        yield stack


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with open_browser() as browser:
        yield browser


@pytest.fixture
def window_width() -> int:
    """Of the window that `studio` is in, in pixels; tests on a phone have another."""
    return 1440


@pytest.fixture
def studio(browser: Browser, stack: LocalStack, window_width: int) -> Iterator[StudioPage]:
    """The page as somebody finds it who was never there; the browser has to have no complaint at the end."""
    with open_studio(browser, stack.url, width=window_width) as studio:
        yield studio
        assert studio.wrong == []


@pytest.fixture
def objects(stack: LocalStack) -> Iterator[ObjectStore]:
    """The service's; afterwards there are no keys in it."""
    objects = ObjectStore(service_settings(stack.state.path).storage)
    yield objects
    objects.delete_prefix("keys/")
