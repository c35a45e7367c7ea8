"""A run learns, and ends the same however often it was interrupted.

Here it is interrupted by an error inside the process, which is quick; real
kills are in test_kills.py.
"""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from nlp_course.data.corpora import load_corpus
from nlp_course.training import TrainingLog, diagnose, trainer
from nlp_course.training.checkpoints import (
    CheckpointError,
    from_bytes,
    load_checkpoint,
    save_checkpoint,
)
from nlp_course.training.log import LogFile
from nlp_course.training.objectives import Objective
from nlp_course.training.runs import BEST, LAST, LOG, VALIDATION, RunConfig
from nlp_course.training.text_training import resume_text, train_text
from tests.training.text_runs import MODELS, small, small_text

FILES = [BEST, LAST, LOG, VALIDATION]


class Interrupted(Exception):
    """Stands for whatever ends a process."""


def stop_before(step: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The next training breaks off before it takes this step."""
    call = Objective.__call__

    def broken(self: Objective, number: int) -> torch.Tensor:
        if number == step:
            raise Interrupted
        return call(self, number)

    monkeypatch.setattr(Objective, "__call__", broken)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize("model", MODELS)
def test_interrupted_and_resumed_it_ends_with_the_same_files(
    model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Checkpoints, best weights and both logs, byte by byte."""
    config = small(model, small_text(tmp_path))
    train_text(config, tmp_path / "whole")
    for step in (1, 8, 11, 24):  # before, at and after checkpoints
        with monkeypatch.context() as patch:
            stop_before(step, patch)
            with pytest.raises(Interrupted):
                train_text(config, tmp_path / "parts", resume=True)
        saved = load_checkpoint(tmp_path / "parts" / LAST)["step"]
        assert saved == (step - 1) // 5 * 5
    resume_text(tmp_path / "parts")
    assert contents(tmp_path / "parts") == contents(tmp_path / "whole")
    assert sorted(contents(tmp_path / "whole")) == FILES


def test_adamw_goes_on_as_well_as_muon(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = small("gpt", small_text(tmp_path), optimizer="adamw")
    train_text(config, tmp_path / "whole")
    stop_before(14, monkeypatch)
    with pytest.raises(Interrupted):
        train_text(config, tmp_path / "parts")
    monkeypatch.undo()
    resume_text(tmp_path / "parts")
    assert contents(tmp_path / "parts") == contents(tmp_path / "whole")


def test_the_log_can_be_diagnosed_and_the_loss_falls(tmp_path: Path) -> None:
    config = small("gru", small_text(tmp_path), steps=120, dropout=0.0)
    run = train_text(config, tmp_path / "run")
    log = TrainingLog.load(tmp_path / "run" / LOG)
    assert log.column("step").tolist() == list(range(2, 121, 2))
    first, last = log.column("loss")[[0, -1]].tolist()
    assert first == pytest.approx(math.log(len(run.tokenizer)), rel=0.2)
    assert last < 0.8 * first
    assert diagnose(log).verdict == "healthy"
    measured = TrainingLog.load(tmp_path / "run" / VALIDATION)
    assert measured.column("step").tolist() == list(range(10, 121, 10))
    losses = measured.column("loss").tolist()
    assert run.best == ((losses.index(min(losses)) + 1) * 10, min(losses))


def test_the_layers_are_compared_with_the_first_weights_of_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not with those that a resumed run began with."""
    config = small("gpt", small_text(tmp_path))
    stop_before(24, monkeypatch)
    with pytest.raises(Interrupted):
        train_text(config, tmp_path / "run")
    monkeypatch.undo()
    resume_text(tmp_path / "run")
    log = TrainingLog.load(tmp_path / "run" / LOG)
    moved = log.column("layer_changes").mean(dim=1)
    assert moved[-1] > 0.9 * moved[-3], "measured from where it began"


def test_a_finished_run_is_left_as_it_is(tmp_path: Path) -> None:
    config = small("rnn", small_text(tmp_path))
    train_text(config, tmp_path / "run")
    before = contents(tmp_path / "run")
    run = resume_text(tmp_path / "run")
    assert run.step == 24
    assert contents(tmp_path / "run") == before


def test_rows_that_were_logged_after_the_checkpoint_are_cut_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stop_before(14, monkeypatch)
    config = small("rnn", small_text(tmp_path))
    with pytest.raises(Interrupted):
        train_text(config, tmp_path / "run")
    path = tmp_path / "run" / LOG
    assert TrainingLog.load(path).records[-1]["step"] == 12
    with path.open("a") as file:
        file.write('{"step": 14, "lo')  # killed while it wrote
    monkeypatch.undo()
    resume_text(tmp_path / "run")
    steps = TrainingLog.load(path).column("step").tolist()
    assert steps == list(range(2, 25, 2))


def test_pytorchs_own_chance_is_left_alone(tmp_path: Path) -> None:
    torch.manual_seed(5)
    before = torch.get_rng_state()
    threads = torch.get_num_threads()
    train_text(small("gpt", small_text(tmp_path), steps=2), tmp_path / "run")
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.get_num_threads() == threads


def test_a_seed_makes_the_run(tmp_path: Path) -> None:
    data = small_text(tmp_path)
    weights = []
    for k, seed in enumerate((0, 0, 1)):
        train_text(small("gpt", data, seed=seed, steps=3), tmp_path / str(k))
        weights.append((tmp_path / str(k) / LAST).read_bytes())
    assert weights[0] == weights[1] != weights[2]


def test_a_folder_in_use_is_not_overwritten(tmp_path: Path) -> None:
    config = small("rnn", small_text(tmp_path), steps=2)
    train_text(config, tmp_path / "run")
    before = contents(tmp_path / "run")
    with pytest.raises(FileExistsError, match="holds a run already"):
        train_text(config, tmp_path / "run")
    assert contents(tmp_path / "run") == before
    with pytest.raises(FileExistsError, match="holds files but no run"):
        train_text(config, tmp_path, resume=True)
    with pytest.raises(FileExistsError, match="is a file, not a folder"):
        train_text(config, tmp_path / "text.txt")


def test_an_empty_folder_will_do(tmp_path: Path) -> None:
    """Also one in which a run was killed before its first checkpoint."""
    config = small("rnn", small_text(tmp_path), steps=2)
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / f".{LAST}.part").write_bytes(b"cut o")
    assert train_text(config, tmp_path / "run").step == 2
    assert sorted(contents(tmp_path / "run")) == FILES


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"seed": 1}, "seed: 1, not 0"),
        ({"model": "lstm"}, "model: lstm, not rnn"),
        ({"steps": 9, "width": 8}, "steps: 9, not 24; width: 8, not 16"),
    ],
)
def test_a_run_is_not_continued_with_other_options(
    change: dict[str, Any], words: str, tmp_path: Path
) -> None:
    config = small("rnn", small_text(tmp_path))
    train_text(config, tmp_path / "run")
    before = contents(tmp_path / "run")
    with pytest.raises(ValueError, match="holds a run with other") as error:
        train_text(replace(config, **change), tmp_path / "run", resume=True)
    assert words in str(error.value)
    assert contents(tmp_path / "run") == before


def test_a_text_that_has_changed_is_noticed(tmp_path: Path) -> None:
    data = small_text(tmp_path)
    train_text(small("rnn", data), tmp_path / "run")
    data.write_text(data.read_text().replace("e", "é", 1))
    with pytest.raises(ValueError, match="no longer the one that"):
        resume_text(tmp_path / "run")


def test_a_run_goes_on_from_another_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small_text(tmp_path)
    monkeypatch.chdir(tmp_path)
    train_text(small("rnn", "text.txt"), "run")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert resume_text("../run").step == 24


def test_a_damaged_checkpoint_is_refused(tmp_path: Path) -> None:
    train_text(small("rnn", small_text(tmp_path)), tmp_path / "run")
    path = tmp_path / "run" / LAST
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(CheckpointError, match="is no checkpoint, or only a"):
        resume_text(tmp_path / "run")


def test_an_optimizer_of_another_kind_is_refused(tmp_path: Path) -> None:
    config = small("gpt", small_text(tmp_path))
    train_text(config, tmp_path / "run")
    state = load_checkpoint(tmp_path / "run" / LAST)
    state["config"]["optimizer"] = "adamw"
    save_checkpoint(tmp_path / "run" / LAST, state)
    with pytest.raises(CheckpointError, match="optimizer of another run"):
        resume_text(tmp_path / "run")


def test_there_is_nothing_to_go_on_with(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="there is no run folder"):
        resume_text(tmp_path / "none")
    with pytest.raises(FileNotFoundError, match="holds no run"):
        resume_text(tmp_path)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_disk_that_fills_up_costs_nothing(tmp_path: Path) -> None:
    """The last checkpoint stays, and the run ends as it would have."""
    config = small("lstm", small_text(tmp_path))
    train_text(config, tmp_path / "whole")
    half = RunConfig(**{**config.__dict__})
    folder = tmp_path / "run"
    with pytest.MonkeyPatch.context() as patch:
        stop_before(9, patch)
        with pytest.raises(Interrupted):
            train_text(half, folder)
    (folder / f".{LAST}.part").symlink_to("/dev/full")
    kept = (folder / LAST).read_bytes()
    with pytest.raises(OSError, match="No space left on device") as error:
        resume_text(folder)
    assert "the checkpoint of step 5 is kept" in str(error.value)
    assert (folder / LAST).read_bytes() == kept
    resume_text(folder)
    assert contents(folder) == contents(tmp_path / "whole")


def test_the_logs_are_on_the_disk_before_the_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every checkpoint finds the rows of its steps there."""
    module: Any = trainer
    write, sync, events = module.write_atomically, LogFile.sync, []

    def watch_sync(self: LogFile) -> None:
        sync(self)
        step = self.records[-1]["step"] if len(self) else 0
        events.append((self.path.name, step))

    def watch_write(path: Path, data: bytes) -> None:
        events.append((path.name, from_bytes(data)["step"]))
        write(path, data)

    monkeypatch.setattr(LogFile, "sync", watch_sync)
    monkeypatch.setattr(module, "write_atomically", watch_write)
    config = small("rnn", small_text(tmp_path), steps=10)
    train_text(config, tmp_path / "run")
    assert events == [
        (LAST, 0),
        *((LOG, 4), (VALIDATION, 0), (LAST, 5)),
        *((LOG, 10), (VALIDATION, 10), (BEST, 10), (LAST, 10)),
    ]


def test_the_best_is_remembered_by_a_run_that_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    losses = iter([1.0, 2.0, 1.5])  # after steps 10, 20 and 24
    monkeypatch.setattr(
        trainer, "validation_loss", lambda *_arguments: next(losses)
    )
    config = small("rnn", small_text(tmp_path))
    with monkeypatch.context() as patch:
        stop_before(16, patch)
        with pytest.raises(Interrupted):
            train_text(config, tmp_path / "run")
    run = resume_text(tmp_path / "run")
    assert run.best == (10, 1.0)
    assert load_checkpoint(tmp_path / "run" / BEST)["step"] == 10


def test_a_corpus_has_a_name_too(tmp_path: Path) -> None:
    run = train_text(small("rnn", "topics", steps=1), tmp_path / "run")
    assert run.config.data == "topics"
    held_out = load_corpus("topics").validation
    assert run.tokenizer.decode(run.tokenizer.encode(held_out)) == held_out
