"""Every test that asks for `manifests` runs on every overlay."""

import pytest

from support.manifests import Manifest, overlay_names, render


@pytest.fixture(params=overlay_names())
def overlay(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def manifests(overlay: str) -> list[Manifest]:
    return render(overlay)
