"""The commands do what the functions do, and say what they did."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from dataclasses import asdict, fields
from importlib import import_module
from pathlib import Path

import pytest

from nlp_course.cli.main import COMMANDS, main
from nlp_course.training import TrainingLog, diagnose
from nlp_course.training.runs import (
    BEST,
    LAST,
    LOG,
    PICTURE,
    VALIDATION,
    RunConfig,
    load_run,
)
from nlp_course.training.text_evaluation import score_text
from nlp_course.training.writing import write
from tests.training.text_runs import MODELS, small_text

ROOT = Path(__file__).parents[2]
TINY = "--steps 6 --batch 4 --context 12 --width 16 --heads 2 --layers 1"
TINY += " --threads 1 --log-every 2 --evaluate-every 3"
Captured = pytest.CaptureFixture[str]


def call(arguments: str, capsys: Captured) -> tuple[int, str, str]:
    """Status, standard output and error of ``nlp-course ...``."""
    status = main(arguments.split())
    said = capsys.readouterr()
    return status, said.out, said.err


@pytest.mark.parametrize("model", MODELS)
def test_train_then_measure_then_write(
    model: str,
    tmp_path: Path,
    capsys: Captured,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    small_text(tmp_path)
    status, out, _ = call(f"train {model} text.txt {TINY}", capsys)
    assert status == 0
    folder = tmp_path / "runs" / f"{model}-text"
    run = load_run(folder)
    weights = sum(w.numel() for w in run.model.parameters())
    lines = out.splitlines()
    assert lines[0] == (
        f"{model} with {weights:,} weights, {len(run.tokenizer)} tokens "
        "(char), 6 steps"
    )
    assert lines[1].startswith("best on held-out text: ")
    verdict = str(diagnose(TrainingLog.load(folder / LOG)))
    assert f"diagnosis: {verdict}" in out
    assert sorted(p.name for p in folder.iterdir()) == sorted(
        [BEST, LAST, LOG, VALIDATION, PICTURE]
    )
    assert (folder / PICTURE).read_bytes().startswith(b"\x89PNG")

    status, out, _ = call(f"evaluate runs/{model}-text text.txt", capsys)
    assert status == 0
    text = (tmp_path / "text.txt").read_text()
    for name, value in (
        score_text(run.model, run.tokenizer, text).table().items()
    ):
        assert f"{name:22} {value}\n" in out

    status, out, err = call(
        f"sample runs/{model}-text --prompt The --length 9 --seed 3", capsys
    )
    if model == "bert":
        assert (status, out) == (2, "")
        assert "a bert fills gaps" in err
    else:
        wanted = write(run, "The", 9, temperature=0.8, seed=3)
        assert (status, out) == (0, wanted.text + "\n")


def test_the_part_held_out_is_measured_by_default(
    tmp_path: Path, capsys: Captured
) -> None:
    data = small_text(tmp_path)
    call(f"train rnn {data} --out {tmp_path}/run --no-plot {TINY}", capsys)
    assert not (tmp_path / "run" / PICTURE).exists()
    _, out, _ = call(f"evaluate {tmp_path}/run", capsys)
    assert "rnn, best, step 6" in out
    _, whole, _ = call(f"evaluate {tmp_path}/run {data}", capsys)
    assert out != whole
    assert f"{len(data.read_text()):,} characters" in whole


def test_all_options_of_a_run_reach_it(
    tmp_path: Path, capsys: Captured
) -> None:
    """And none of them is missing."""
    data = small_text(tmp_path)
    given = {
        "steps": 3,
        "batch": 2,
        "context": 9,
        "layers": 3,
        "width": 12,
        "heads": 3,
        "dropout": 0.25,
        "tokenizer": "word",
        "vocabulary": 50,
        "optimizer": "adamw",
        "learning_rate": 0.01,
        "weight_decay": 0.5,
        "clip_norm": 2.0,
        "seed": 8,
        "checkpoint_every": 2,
        "evaluate_every": 3,
        "log_every": 1,
        "threads": 1,
        "device": "cpu",
    }
    assert {f.name for f in fields(RunConfig)} == {*given, "model", "data"}
    options = " ".join(
        f"--{name.replace('_', '-')} {value}" for name, value in given.items()
    )
    status, _, err = call(
        f"train gpt {data} --out {tmp_path}/run {options}", capsys
    )
    assert status == 0, err
    wanted = {**given, "model": "gpt", "data": str(data)}
    assert asdict(load_run(tmp_path / "run").config) == wanted


def test_resume_ends_a_run_and_leaves_a_finished_one(
    tmp_path: Path, capsys: Captured
) -> None:
    data = small_text(tmp_path)
    train = f"train gru {data} --out {tmp_path}/run {TINY}"
    assert call(train, capsys)[0] == 0
    kept = (tmp_path / "run" / LAST).read_bytes()
    for again in (f"resume {tmp_path}/run", f"{train} --resume"):
        status, out, _ = call(again, capsys)
        assert status == 0
        assert "gru with" in out
        assert (tmp_path / "run" / LAST).read_bytes() == kept


def test_a_note_on_what_the_prompt_holds(
    tmp_path: Path, capsys: Captured
) -> None:
    data = small_text(tmp_path)
    call(f"train rnn {data} --out {tmp_path}/run {TINY}", capsys)
    _, _, err = call(f"sample {tmp_path}/run --prompt aЖЖ", capsys)
    assert err == (
        "note: 2 of 3 tokens of the prompt are unknown to this model\n"
    )


def test_help_is_quick_and_names_the_commands(capsys: Captured) -> None:
    for arguments in ("--help", "-h", ""):
        status, out, _ = call(arguments, capsys)
        assert status == 0
        for name, text in COMMANDS.items():
            assert name in out
            assert text in out
    code = "import sys; from nlp_course.cli.main import main; main(['-h'])"
    code += "; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_explains_itself(name: str, capsys: Captured) -> None:
    status, out, _ = call(f"{name} --help", capsys)
    assert status == 0
    assert out.startswith(f"Usage: nlp-course {name} ")
    assert "None" not in out


def test_the_package_installs_the_command() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    module, _, function = project["scripts"]["nlp-course"].partition(":")
    assert getattr(import_module(module), function) is main
    assert "click" in project["dependencies"]
