"""What goes wrong is one line, status 2, and costs nothing that was saved."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from nlp_course.cli.main import main
from nlp_course.training import trainer
from nlp_course.training.checkpoints import load_checkpoint, save_checkpoint
from nlp_course.training.runs import BEST, LAST
from tests.training.text_runs import small_text

ROOT = Path(__file__).parents[2]
TINY = "--steps 6 --batch 4 --context 12 --width 16 --heads 2 --layers 1"
TINY += " --threads 1 --no-plot"
Captured = pytest.CaptureFixture[str]
NAN = float("nan")


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a text, texts that are none, and a finished run."""
    monkeypatch.chdir(tmp_path)
    small_text(tmp_path)
    (tmp_path / "empty.txt").write_text("")
    (tmp_path / "blank.txt").write_text(" \n\n")
    (tmp_path / "line.txt").write_text("one line, and that is all\n")
    (tmp_path / "short.txt").write_text("".join(f"{k}\n" for k in range(12)))
    (tmp_path / "latin.txt").write_bytes("naïve\n".encode("latin-1") * 20)
    (tmp_path / "file").write_text("no folder")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "letter.txt").write_text("mine")
    assert main(f"train rnn text.txt --out run {TINY}".split()) == 0
    return tmp_path


def refused(arguments: str, capsys: Captured) -> str:
    """The one line that a command says before it ends with status 2."""
    capsys.readouterr()
    assert main(arguments.split()) == 2
    said = capsys.readouterr()
    assert said.out == ""
    bars, _, message = said.err.rpartition("nlp-course: error: ")
    assert not bars.strip() or bars.startswith(("\r", "\n"))
    assert message.endswith("\n")
    assert message.count("\n") == 1
    return message.rstrip("\n")


CASES = {
    "unknown command": ("trian gpt", "No such command 'trian'"),
    "unknown model": (
        "train elman text.txt",
        "'elman' is not one of 'rnn', 'lstm', 'gru', 'gpt', 'bert'",
    ),
    "unknown option": ("train rnn text.txt --colour red", "No such option"),
    "steps 0": ("train rnn text.txt --steps 0", "0 is not in the range x>=1"),
    "steps x": ("train rnn text.txt --steps x", "'x' is not a valid integer"),
    "dropout": ("train rnn text.txt --dropout 1", "not in the range 0<=x<1"),
    "rate nan": (
        "train rnn text.txt --learning-rate nan",
        "learning_rate must be positive, not nan",
    ),
    "heads": (
        "train gpt text.txt --width 30",
        "width 30 cannot be divided among 4 heads",
    ),
    "muon": (
        "train lstm text.txt --optimizer muon",
        "has no matrix inside a list called layers, which Muon is for",
    ),
    "unknown corpus": ("train rnn poems", "no corpus 'poems'; there are topi"),
    "no file": ("train rnn none.txt", "none.txt does not exist"),
    "a folder": ("train rnn ./full", "full is a folder, not a file"),
    "empty": ("train rnn empty.txt", "empty.txt holds no text"),
    "blank": ("train rnn blank.txt", "blank.txt holds no text"),
    "one line": ("train rnn line.txt", "lines of text are too few to hold"),
    "context": (
        f"train gpt short.txt {TINY} --context 500",
        "tokens, but this context needs at least 501; take a shorter context",
    ),
    "lanes": (
        f"train rnn short.txt {TINY} --batch 99",
        "tokens is too short for 99 lanes of 12 steps",
    ),
    "no UTF-8": (
        "train rnn latin.txt",
        "latin.txt is not UTF-8 text: byte 0xef at position 2 (line 1)",
    ),
    "vocabulary": (
        "train rnn text.txt --tokenizer bpe --vocabulary 9",
        "max_size must be at least 260",
    ),
    "run exists": (
        f"train rnn text.txt --out run {TINY}",
        "run holds a run already; resume it, or choose another folder",
    ),
    "folder in use": (
        f"train rnn text.txt --out full {TINY}",
        "full holds files but no run; choose a new or empty folder",
    ),
    "out is a file": (
        f"train rnn text.txt --out file {TINY}",
        "file is a file, not a folder",
    ),
    "other options": (
        f"train gru text.txt --out run {TINY} --resume --seed 1",
        "run with other options (model: gru, not rnn; seed: 1, not 0)",
    ),
    "resume nothing": ("resume none", "there is no run folder none"),
    "resume no run": ("resume full", "full holds no run"),
    "sample nothing": ("sample none", "there is no run folder none"),
    "sample top-k": ("sample run --top-k 0", "0 is not in the range x>=1"),
    "sample top-p": ("sample run --top-p 2", "2.0 is not in the range 0<x<=1"),
    "measure no file": ("evaluate run none.txt", "none.txt does not exist"),
    "measure nothing": ("evaluate run empty.txt", "empty.txt holds no text"),
}


@pytest.mark.parametrize("case", CASES)
def test_a_mistake_is_one_line(
    case: str, here: Path, capsys: Captured
) -> None:
    arguments, words = CASES[case]
    before = (here / "run" / LAST).read_bytes()
    assert words in refused(arguments, capsys)
    assert (here / "run" / LAST).read_bytes() == before
    assert not (here / "runs").exists(), "nothing is begun"
    assert [p.name for p in (here / "full").iterdir()] == ["letter.txt"]


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_gpu_that_is_not_there(here: Path, capsys: Captured) -> None:
    for command in ("train rnn text.txt --out new", "resume run"):
        said = refused(f"{command} --device cuda", capsys)
        assert "device cuda was asked for, but PyTorch finds 0 GPUs" in said
    assert not (here / "new").exists()


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-50])


def garble(path: Path) -> None:
    path.write_bytes(b"garbage" * 1000)


def empty(path: Path) -> None:
    path.write_bytes(b"")


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[-9] ^= 1
    path.write_bytes(data)


def widen(path: Path) -> None:
    state = load_checkpoint(path)
    state["config"]["width"] = 32
    save_checkpoint(path, state)


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (cut, "is no checkpoint, or only a part of one"),
        (garble, "is no checkpoint, or only a part of one"),
        (empty, "is no checkpoint, or only a part of one"),
        (flip, "is damaged: its checksum does not fit its content"),
        (widen, "holds the weights of another model"),
    ],
)
def test_a_spoilt_checkpoint(
    spoil: Callable[[Path], None], words: str, here: Path, capsys: Captured
) -> None:
    spoil(here / "run" / LAST)
    spoil(here / "run" / BEST)
    for command in ("resume run", "sample run", "evaluate run"):
        said = refused(command, capsys)
        assert words in said
        assert "run/" in said


def test_a_text_that_has_changed(here: Path, capsys: Captured) -> None:
    with (here / "text.txt").open("a") as file:
        file.write("more\n")
    said = refused("resume run", capsys)
    assert "is no longer the one that run was begun with" in said


@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() == 0,
    reason="root may write everywhere",
)
def test_a_folder_that_may_not_be_written(
    here: Path, capsys: Captured
) -> None:
    (here / "locked").mkdir(mode=0o500)
    said = refused(f"train rnn text.txt --out locked/run {TINY}", capsys)
    assert said.startswith("Permission denied: ")
    assert "locked/run" in said


@pytest.mark.skipif(not Path("/proc").exists(), reason="needs /proc")
def test_a_place_where_nobody_may_write(here: Path, capsys: Captured) -> None:
    said = refused(f"train rnn text.txt --out /proc/run {TINY}", capsys)
    assert "/proc/run" in said


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk(here: Path, capsys: Captured) -> None:
    """The first checkpoint finds no room; later ones: test_text_training."""
    (here / "new").mkdir()
    (here / "new" / f".{LAST}.part").symlink_to("/dev/full")
    said = refused(f"train rnn text.txt --out new {TINY}", capsys)
    assert "cannot write new/last.safetensors: No space left on" in said
    assert list((here / "new").iterdir()) == []


@pytest.mark.skipif(sys.platform != "linux", reason="needs its limits")
def test_a_file_that_may_not_grow(here: Path) -> None:
    """A real process whose files have a limit: in the middle of a run."""
    begun = main(f"train rnn text.txt --out grow {TINY} --seed 1".split())
    assert begun == 0
    code = (
        "import resource, sys; from nlp_course.cli.main import main; "
        "resource.setrlimit(resource.RLIMIT_FSIZE, (9000, 9000)); "
        "sys.exit(main(sys.argv[1:]))"
    )
    command = f"train rnn text.txt --out cut {TINY} --seed 1"
    done = subprocess.run(
        [sys.executable, "-c", code, *command.split()],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert done.returncode == 2
    assert "nlp-course: error: cannot write cut/" in done.stderr
    assert "File too large" in done.stderr
    assert "Traceback" not in done.stderr


def test_an_interrupt_says_how_to_go_on(
    here: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_arguments: object, **_options: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(trainer, "train", interrupt)
    status = main(f"train rnn text.txt --out new {TINY}".split())
    assert status == 130
    said = capsys.readouterr().err
    assert "nlp-course: interrupted; a run goes on from its last" in said
    assert (here / "new" / LAST).exists()


def test_a_mistake_of_ours_is_not_hidden(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_arguments: object, **_options: object) -> None:
        raise RuntimeError("a mistake in the program")

    monkeypatch.setattr(trainer, "train", broken)
    with pytest.raises(RuntimeError, match="a mistake in the program"):
        main(f"train rnn text.txt --out new {TINY}".split())


def test_the_place_of_an_error_can_be_shown(here: Path) -> None:
    with pytest.raises(ValueError, match="holds no text"):
        main(["--traceback", "train", "rnn", "empty.txt"])
