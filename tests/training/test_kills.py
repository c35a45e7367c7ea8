"""Killed at any moment and resumed, a run ends with the same files.

Real processes, killed by SIGKILL: at random moments, and in the middle of
everything that writes.
"""

from __future__ import annotations

import random
import signal
import sys
from pathlib import Path

import pytest

from nlp_course.training import TrainingLog
from nlp_course.training.checkpoints import load_checkpoint
from nlp_course.training.runs import LAST, LOG, RunConfig
from nlp_course.training.text_training import train_text
from tests.training.killed_runs import die_at, go_on, start
from tests.training.text_runs import small, small_text

pytestmark = pytest.mark.skipif(
    sys.platform == "win32", reason="needs fork and SIGKILL"
)
KILLS = 20


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def step_of(folder: Path) -> int:
    """That of the last checkpoint, which must be whole at any moment."""
    path = folder / LAST
    return int(load_checkpoint(path)["step"]) if path.exists() else -1


def rows(folder: Path) -> int:
    """The steps that are logged, whether a checkpoint has them or not."""
    path = folder / LOG
    return path.read_bytes().count(b"\n") if path.exists() else 0


def kill(config: RunConfig, folder: Path, chance: random.Random) -> bool:
    """Start or resume the run and kill it; whether it was still running.

    Most processes are killed at any moment within some steps, some while
    they start.  Steps are counted, not seconds: a machine may be busy.
    """
    target = max(0, step_of(folder)) + chance.randint(1, 24)
    process = start(go_on, config, folder)
    if chance.random() < 0.2:
        process.join(chance.uniform(0, 0.3))
    else:
        while process.is_alive() and rows(folder) < target:
            process.join(0.002)
        process.join(chance.uniform(0, 0.005))
    process.kill()
    process.join()
    assert process.exitcode in (0, -signal.SIGKILL)
    return process.exitcode != 0


@pytest.mark.slow
@pytest.mark.parametrize("model", ["gpt", "lstm"])
def test_killed_twenty_times_it_ends_the_same(
    model: str, tmp_path: Path
) -> None:
    """If a run ends before that, another one begins."""
    data = small_text(tmp_path)
    config = small(model, data, steps=200, checkpoint_every=3, log_every=1)
    train_text(config, tmp_path / "whole")
    wanted = contents(tmp_path / "whole")
    chance, kills, runs, met = random.Random(model), 0, 0, set()
    while kills < KILLS:
        folder = tmp_path / str(runs)
        killed = kill(config, folder, chance)
        met.add((runs, step_of(folder)))
        kills += killed
        if not killed or kills == KILLS:
            train_text(config, folder, resume=True)
            assert contents(folder) == wanted
            runs += 1
    assert len(met) > KILLS / 2, f"the kills met only {sorted(met)}"


@pytest.mark.parametrize("place", ["half", "drafted", "replaced", "row"])
def test_killed_while_it_writes_it_ends_the_same(
    place: str, tmp_path: Path
) -> None:
    """At the first checkpoint of all, and at two later ones."""
    config = small("lstm", small_text(tmp_path))
    train_text(config, tmp_path / "whole")
    folder = tmp_path / "run"
    for count in (1, 2, 3):
        process = start(die_at, place, count, config, folder)
        process.join()
        assert process.exitcode == -signal.SIGKILL
        drafts = [p.name for p in folder.iterdir() if p.suffix == ".part"]
        assert bool(drafts) == (place in ("half", "drafted"))
        if place == "row":
            rows = TrainingLog.load(folder / LOG)  # the half one is left out
            assert all(row["step"] % 2 == 0 for row in rows)
    reached = {"half": 10, "drafted": 10, "replaced": 24, "row": 5}
    assert step_of(folder) == reached[place]
    train_text(config, folder, resume=True)
    assert contents(folder) == contents(tmp_path / "whole")
