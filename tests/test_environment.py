"""The files that describe the environment must say the same thing."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parents[1]
WORKFLOW = ".github/workflows/book.yml"
# Files that decide from where something is fetched.
SET_UP = [
    ".ci/run",
    ".pre-commit-config.yaml",
    "Makefile",
    WORKFLOW,
    "constraints.txt",
    "environment.yml",
    "pyproject.toml",
]
# No wheel is looked up by these names: pip or the distribution brings them.
NOT_NEEDED_EVERYWHERE = {"setuptools", "wheel"}


def text(name: str) -> str:
    """Read a file of the project."""
    return (ROOT / name).read_text(encoding="utf-8")


def constraints() -> dict[str, str]:
    """Read the pins, by normalised name."""
    lines = text("constraints.txt").splitlines()
    pins = [line.split("==") for line in lines if not line.startswith("#")]
    return {canonicalize_name(name): pin for name, pin in pins}


def pyproject() -> dict[str, Any]:
    """Read pyproject.toml."""
    return tomllib.loads(text("pyproject.toml"))


def conda() -> tuple[dict[str, str], list[str]]:
    """Read environment.yml: what conda brings, and what pip is told."""
    dependencies = yaml.safe_load(text("environment.yml"))["dependencies"]
    (pip,) = [entry["pip"] for entry in dependencies if type(entry) is dict]
    own = [entry for entry in dependencies if isinstance(entry, str)]
    return dict(entry.partition("=")[::2] for entry in own), pip


def workflow() -> dict[str, Any]:
    """Read the workflow of the continuous integration."""
    loaded: dict[str, Any] = yaml.safe_load(text(WORKFLOW))
    return loaded


def steps() -> list[dict[str, Any]]:
    """List the steps of all jobs of the workflow."""
    return [s for job in workflow()["jobs"].values() for s in job["steps"]]


def requirements() -> list[Requirement]:
    """List every requirement of the package and of its extras."""
    project = pyproject()["project"]
    wanted = list(project["dependencies"])
    for extra in project["optional-dependencies"].values():
        wanted += extra
    return [Requirement(line) for line in wanted]


@pytest.mark.parametrize("wanted", sorted(set(map(str, requirements()))))
def test_every_requirement_has_a_pin_that_satisfies_it(wanted: str) -> None:
    requirement = Requirement(wanted)
    pin = constraints().get(canonicalize_name(requirement.name))
    assert pin, f"{requirement.name} has no pin in constraints.txt"
    assert requirement.specifier.contains(Version(pin))


def test_no_pin_is_local_to_one_place() -> None:
    local = {name for name, pin in constraints().items() if "+" in pin}
    assert not local, "a version like 1.0+cpu cannot be installed elsewhere"


def test_no_package_is_pinned_twice() -> None:
    lines = text("constraints.txt").splitlines()
    pins = [line for line in lines if not line.startswith("#")]
    assert len(pins) == len(constraints())


def test_installed_versions_are_the_pinned_ones() -> None:
    wrong = []
    for name, pin in constraints().items():
        try:
            installed = version(name).split("+")[0]
        except PackageNotFoundError:
            installed = "nothing"
        if installed != pin and name not in NOT_NEEDED_EVERYWHERE:
            wrong.append(f"{name}: {installed}, not {pin}")
    assert not wrong


def test_jupyterlab_accepts_the_extension_that_draws_directives() -> None:
    # 2.7.0 installs beside JupyterLab 4.6 without complaint and is not loaded.
    command = [sys.executable, "-m", "jupyter", "labextension", "list"]
    done = subprocess.run(command, capture_output=True, text=True)
    listed = done.stdout + done.stderr
    assert "jupyterlab-myst v" in listed
    assert '"jupyterlab-myst@' not in listed, listed


def test_the_build_backend_is_pinned_where_constraints_do_not_reach() -> None:
    for line in pyproject()["build-system"]["requires"]:
        assert re.fullmatch(r"[a-z]+==[\d.]+", line)


def test_conda_brings_python_and_pip_brings_the_rest() -> None:
    own, pip = conda()
    assert set(own) == {"python", "pip"}, "nothing is pinned in two places"
    assert "-c constraints.txt" in pip
    assert "-e .[book,lab,corpora]" in pip


def test_one_python_version_is_used_everywhere() -> None:
    own, _ = conda()
    python = own["python"]
    assert python in SpecifierSet(pyproject()["project"]["requires-python"])
    named = [
        step["with"]["python-version"]
        for step in steps()
        if step.get("uses", "").startswith("actions/setup-python@")
    ]
    assert named
    assert set(named) == {python}, "a number would turn 3.10 into 3.1"


def test_every_action_is_pinned_to_a_version() -> None:
    used = [step["uses"] for step in steps() if "uses" in step]
    assert used
    loose = [u for u in used if not re.search(r"@v\d+\.\d+\.\d+$", u)]
    assert not loose


def test_the_workflow_runs_the_commands_that_readers_run() -> None:
    commands = [step["run"] for step in steps() if "run" in step]
    assert ".ci/run" in commands
    assert "make book" in commands
    assert "\nmake test\n" in text(".ci/run")


@pytest.mark.parametrize(
    ("schema", "name"),
    [
        ("vendor.github-workflows", WORKFLOW),
        ("vendor.citation-file-format", "CITATION.cff"),
    ],
)
def test_files_with_a_public_schema_keep_to_it(schema: str, name: str) -> None:
    command = [sys.executable, "-m", "check_jsonschema"]
    command += ["--builtin-schema", schema, str(ROOT / name)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def test_the_citation_names_the_version_of_the_package() -> None:
    citation = yaml.safe_load(text("CITATION.cff"))
    assert citation["version"] == pyproject()["project"]["version"]


@pytest.mark.parametrize("name", SET_UP)
def test_no_file_says_from_where_packages_come(name: str) -> None:
    content = text(name)
    assert "://" not in content
    assert not re.search(r"--(extra-)?index|--find-links", content)
