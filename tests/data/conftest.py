"""Caches, hubs and networks that are this test's alone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from nlp_course.data import hub as loader
from tests.hub import Hub


@pytest.fixture
def own_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Whatever is fetched or converted is kept for this test alone."""
    datasets = pytest.importorskip("datasets")
    client = pytest.importorskip("huggingface_hub")
    cache = tmp_path / "cache"
    monkeypatch.setenv("TORCH_HOME", str(cache))
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", cache / "arrow")
    monkeypatch.setattr(client.constants, "HF_HUB_CACHE", str(cache / "hub"))


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, own_cache: None) -> Iterator[Hub]:
    """A hub on this machine, which the loaders take for the real one."""
    client = pytest.importorskip("huggingface_hub")
    served = Hub()
    template = served.url + "/{repo_id}/resolve/{revision}/{filename}"
    monkeypatch.setattr(client.constants, "ENDPOINT", served.url)
    monkeypatch.setattr(
        client.constants, "HUGGINGFACE_CO_URL_TEMPLATE", template
    )
    monkeypatch.setattr(loader, "_RAW", served.url)
    yield served
    served.close()


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch, own_cache: None) -> None:
    """No network: the client is told so, and GitHub is a closed port."""
    client = pytest.importorskip("huggingface_hub")
    monkeypatch.setattr(client.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(loader, "_RAW", "http://127.0.0.1:9")
