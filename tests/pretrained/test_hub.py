"""Names: the hub's own library fetches, keeps, and finds again."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from nlp_course.gpt import GPT
from nlp_course.pretrained.hub import download
from tests.hub import Hub
from tests.pretrained.cases import (
    assert_same_weights,
    save_gpt,
    split_file,
)

ROOT = Path(__file__).parents[2]
NAME = "someone/small-gpt"


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """The library, with a cache that is this test's alone."""
    library = pytest.importorskip("huggingface_hub")
    monkeypatch.setattr(
        library.constants, "HF_HUB_CACHE", str(tmp_path / "cache")
    )
    return library


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, client: Any) -> Iterator[Hub]:
    """A hub on this machine, which the library takes for the real one."""
    served = Hub()
    template = served.url + "/{repo_id}/resolve/{revision}/{filename}"
    monkeypatch.setattr(client.constants, "ENDPOINT", served.url)
    monkeypatch.setattr(
        client.constants, "HUGGINGFACE_CO_URL_TEMPLATE", template
    )
    yield served
    served.close()


@pytest.fixture
def published(hub: Hub, tmp_path: Path) -> GPT:
    """A model on the hub, beside files that nobody needs."""
    folder = tmp_path / "published"
    model = save_gpt(folder)
    (folder / "tokenizer.json").write_text("{}")
    for name in ("pytorch_model.bin", "tf_model.h5", "README.md", "run.py"):
        (folder / name).write_text("a large file")
    (folder / "onnx").mkdir()
    (folder / "onnx" / "model.onnx").write_text("another")
    hub.add(NAME, folder)
    return model


def test_only_what_is_needed_is_fetched(
    hub: Hub, published: GPT, tmp_path: Path
) -> None:
    assert_same_weights(GPT.from_pretrained(NAME), published)
    fetched = {
        path.rpartition("/")[2] for path in hub.seen if "/resolve/" in path
    }
    wanted = {"config.json", "model.safetensors", "tokenizer.json"}
    assert fetched == wanted
    folder = download(NAME)
    assert folder.is_relative_to(tmp_path / "cache")
    assert {path.name for path in folder.iterdir()} == wanted


def test_weights_in_several_files(
    hub: Hub, published: GPT, tmp_path: Path
) -> None:
    split_file(tmp_path / "published")
    assert_same_weights(GPT.from_pretrained(NAME), published)


def test_what_was_fetched_is_kept(
    hub: Hub, published: GPT, tmp_path: Path
) -> None:
    """In the folder that was asked for, for the time without a network."""
    own = tmp_path / "own"
    GPT.from_pretrained(NAME, cache_dir=own)
    hub.close()
    assert_same_weights(GPT.from_pretrained(NAME, cache_dir=own), published)
    for revision in ("main", hub.commit):
        found = GPT.from_pretrained(NAME, cache_dir=own, revision=revision)
        assert_same_weights(found, published)
    with pytest.raises(FileNotFoundError, match="not in the cache"):
        GPT.from_pretrained(NAME)


def test_no_network(hub: Hub) -> None:
    hub.close()
    with pytest.raises(FileNotFoundError) as caught:
        GPT.from_pretrained(NAME, revision="v2")
    said = str(caught.value)
    assert f"{NAME} (revision v2) is not in the cache" in said
    assert "give the path of a folder with config.json" in said


def test_no_such_model(hub: Hub, published: GPT) -> None:
    with pytest.raises(FileNotFoundError, match="no public model") as caught:
        GPT.from_pretrained("someone/else")
    assert "no folder 'someone/else' here" in str(caught.value)


def test_no_such_revision(hub: Hub, published: GPT) -> None:
    with pytest.raises(FileNotFoundError, match="no revision 'v3'"):
        GPT.from_pretrained(NAME, revision="v3")


def test_no_weights_that_can_be_read(
    hub: Hub, published: GPT, tmp_path: Path
) -> None:
    """A pickle is not even fetched."""
    (tmp_path / "published" / "model.safetensors").unlink()
    with pytest.raises(FileNotFoundError, match="holds no weights"):
        GPT.from_pretrained(NAME)
    assert not [path for path in hub.seen if "pytorch_model" in path]


@pytest.mark.parametrize(
    "name", ["", "a b", "gpt2?", "-gpt2", "a--b", "x" * 99]
)
def test_what_is_no_name(client: Any, name: str) -> None:
    with pytest.raises(ValueError, match="neither a folder nor a name"):
        GPT.from_pretrained(name)


def lay_out(cache: Path, folder: Path, commit: str) -> None:
    """Files of a folder as the hub's library keeps them in its cache."""
    kept = cache / f"models--{NAME.replace('/', '--')}"
    snapshot = kept / "snapshots" / commit
    for path in (kept / "blobs", kept / "refs", snapshot):
        path.mkdir(parents=True, exist_ok=True)
    (kept / "refs" / "main").write_text(commit)
    for file in folder.iterdir():
        blob = kept / "blobs" / hashlib.sha256(file.read_bytes()).hexdigest()
        blob.write_bytes(file.read_bytes())
        link = snapshot / file.name
        link.symlink_to(os.path.relpath(blob, snapshot))


OFFLINE = """
import json, socket, sys

def refuse(*_):
    raise AssertionError("the network was used")

socket.socket.connect = socket.getaddrinfo = refuse
from nlp_course.gpt import GPT
found = GPT.from_pretrained(sys.argv[1])
older = GPT.from_pretrained(sys.argv[1], revision=sys.argv[2])
report = [float(m.embedding.E.detach().double().sum()) for m in (found, older)]
for name, revision in ((sys.argv[1], "v9"), ("someone/else", None)):
    try:
        GPT.from_pretrained(name, revision=revision)
    except FileNotFoundError as error:
        report.append(str(error))
heavy = {"transformers", "sympy"} & set(sys.modules)
print(json.dumps([*report, sorted(heavy)]))
"""


def test_the_cache_alone(tmp_path: Path) -> None:
    """``HF_HOME`` and ``HF_HUB_OFFLINE`` in a process of its own."""
    pytest.importorskip("huggingface_hub")
    commits, models = ("a" * 40, "b" * 40), []
    for seed, commit in enumerate(commits):
        models.append(save_gpt(tmp_path / str(seed), seed=seed))
        lay_out(tmp_path / "home" / "hub", tmp_path / str(seed), commit)
    environment = {
        **os.environ,
        "HF_HOME": str(tmp_path / "home"),
        "HF_HUB_OFFLINE": "1",
        "PYTHONPATH": str(ROOT),
    }
    environment.pop("HF_HUB_CACHE", None)
    done = subprocess.run(
        [sys.executable, "-c", OFFLINE, NAME, commits[0]],
        capture_output=True,
        text=True,
        env=environment,
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    newer, older, revision, name, heavy = json.loads(done.stdout)
    sums = [float(it.embedding.E.detach().double().sum()) for it in models]
    assert [older, newer] == pytest.approx(sums, abs=1e-12)
    assert f"{NAME} (revision v9) is not in the cache" in revision
    assert "someone/else (revision main) is not in the cache" in name
    assert heavy == [], "loading brings no more than it needs"
