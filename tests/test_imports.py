"""To import is to change nothing; the models need torch alone."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from pkgutil import walk_packages
from typing import Any

import pytest

import nlp_course

ROOT = Path(__file__).parents[1]
MODULES = sorted(
    module.name for module in walk_packages(nlp_course.__path__, "nlp_course.")
)
UPPER = (
    *("data", "training", "display", "exercises", "cli"),
    *("claims", "sphinx_cache", "sphinx_ext", "executed"),
)
MODELS = [
    name
    for name in MODULES
    if name.removeprefix("nlp_course.").split(".")[0] not in UPPER
]
DATA = [name for name in MODULES if name.startswith("nlp_course.data")]
HEAVY = {"IPython", "datasets", "ipywidgets", "matplotlib", "sphinx", "yaml"}

# What an import could change is looked at before and after; what it does
# on the way (files, connections, processes) is told by an audit hook.
WATCH = """
import importlib, json, os, random, sys, warnings
import matplotlib, matplotlib.pyplot, numpy, torch, tqdm.notebook
import IPython.display, ipywidgets, jaxtyping, sphinx.application
import jupyter_cache, jupyter_cache.executors.utils, nbformat

def state():
    kind, keys, *rest = numpy.random.get_state()
    return {
        "random": hash(random.getstate()),
        "numpy": (kind, keys.tolist(), rest),
        "torch": torch.get_rng_state().tolist(),
        "dtype": str(torch.get_default_dtype()),
        "threads": torch.get_num_threads(),
        "gradients": torch.is_grad_enabled(),
        "determinism": torch.are_deterministic_algorithms_enabled(),
        "rcParams": {k: str(v) for k, v in matplotlib.rcParams.items()},
        "backend": matplotlib.get_backend(auto_select=False),
        "figures": matplotlib.pyplot.get_fignums(),
        "environment": dict(os.environ),
        "directory": os.getcwd(),
        "filters": [str(f) for f in warnings.filters],
        "recursion": sys.getrecursionlimit(),
        "hooks": [repr(sys.excepthook), repr(sys.displayhook)],
    }

events = []
ROOT, NAMES = sys.argv[1], sys.argv[2:]

def audit(event, arguments):
    if event == "open":
        path, mode, flags = arguments
        writes = flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
        source = str(path).endswith((".py", ".pyc", ".so"))
        if writes or (str(path).startswith(ROOT) and not source):
            events.append(f"open {path}")
    elif event.split(".")[0] in ("socket", "subprocess", "urllib"):
        events.append(event)
    elif event in ("os.system", "os.exec", "os.fork", "os.mkdir"):
        events.append(event)

before = state()
sys.addaudithook(audit)
for name in NAMES:
    importlib.import_module(name)
seen = list(events)
after = state()
changed = [key for key in before if before[key] != after[key]]
sys.stderr.write("REPORT" + json.dumps({"seen": seen, "changed": changed}))
"""


def python(code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    # not all of this process's variables: some import may have set them
    needed = ("HOME", "LANG", "PATH", "SYSTEMROOT", "TMPDIR", "USERPROFILE")
    environment = {
        **{name: os.environ[name] for name in needed if name in os.environ},
        "OMP_NUM_THREADS": "1",
        "PYTHONPATH": str(ROOT),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        capture_output=True,
        text=True,
        env=environment,
    )


def report(code: str, *modules: str) -> dict[str, Any]:
    done = python(code, str(ROOT), *modules)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "", "an import prints nothing"
    said, _, found = done.stderr.partition("REPORT")
    assert said == "", "an import warns of nothing"
    result: dict[str, Any] = json.loads(found)
    return result


def test_all_modules_are_known() -> None:
    some = {"nlp_course.rnn", "nlp_course.losses", "nlp_course.attention"}
    assert some <= set(MODELS)
    assert {f"nlp_course.{name}" for name in UPPER} <= set(MODULES)
    assert len(MODULES) > 20


def test_to_import_changes_nothing() -> None:
    assert report(WATCH, *MODULES) == {"seen": [], "changed": []}


def test_the_watch_sees_what_it_is_there_for(tmp_path: Path) -> None:
    """A module that does everything it should not, in the same watch."""
    module = tmp_path / "guilty.py"
    module.write_text(
        "import random, numpy, torch, matplotlib, os, socket, subprocess\n"
        "random.seed(1); numpy.random.seed(1); torch.manual_seed(1)\n"
        "matplotlib.rcParams['font.size'] = 99\n"
        "os.environ['GUILTY'] = '1'\n"
        f"open({str(tmp_path / 'cache')!r}, 'w').close()\n"
        "socket.socket().close()\n"
    )
    code = f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n" + WATCH
    found = report(code, "guilty")
    changed = {"random", "numpy", "torch", "rcParams", "environment"}
    assert set(found["changed"]) == changed
    seen = " ".join(found["seen"])
    assert "open" in seen
    assert "socket" in seen


def loaded(names: list[str]) -> set[str]:
    """The top-level packages that importing these modules brings."""
    lines = [f"import {name}" for name in names]
    code = "; ".join(["import sys", *lines, "print(*sys.modules)"])
    done = python(code)
    assert done.returncode == 0, done.stderr
    return {name.partition(".")[0] for name in done.stdout.split()}


@pytest.mark.parametrize(
    ("names", "allowed"),
    [(MODELS, set()), (DATA, {"babel", "num2words"})],
    ids=["models", "data"],
)
def test_models_and_data_need_little(
    names: list[str], allowed: set[str]
) -> None:
    found = loaded(names)
    assert not found & HEAVY
    extra = found - loaded(["torch", "jaxtyping"]) - sys.stdlib_module_names
    extra = {name for name in extra if not name.startswith("_")}
    assert extra - allowed == {"nlp_course"}


def test_no_model_knows_how_it_is_shown_or_trained() -> None:
    lines = [f"import {name}" for name in MODELS]
    done = python("; ".join(["import sys", *lines, "print(*sys.modules)"]))
    ours = {m for m in done.stdout.split() if m.startswith("nlp_course")}
    assert ours == {"nlp_course", *MODELS}


def test_the_package_itself_brings_nothing() -> None:
    assert "torch" not in loaded(["nlp_course"])


def test_every_name_that_is_offered_exists() -> None:
    for package in ("data", "display", "exercises", "training"):
        module = import_module(f"nlp_course.{package}")
        for name in module.__all__:
            assert getattr(module, name) is not None
