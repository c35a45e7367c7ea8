"""What the processes of test_distributed.py do, started by torchrun.

``torchrun torchrun_worker.py train FOLDER DATA`` trains one small model of
each kind; ``... unharmed FOLDER DATA`` trains one with dropout, and ``... die
FOLDER DATA`` the same, but the first time process 1 is killed on the way.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Any

from torch import Tensor

from nlp_course.training.objectives import Objective
from nlp_course.training.runs import RunConfig
from nlp_course.training.text_training import train_text
from tests.training.text_runs import small

KINDS = ("gpt", "lstm", "bert")
DEADLY = 13  # the step in which process 1 dies


def comparable(model: str, data: Path) -> RunConfig:
    """A run that does the same on any number of processes, but for rounding.

    Each process draws a dropout of its own; and Muon, which computes with 8
    bits of precision, would turn small differences into large ones.
    """
    return small(model, data, dropout=0.0, optimizer="adamw")


def train_all(folder: Path, data: Path) -> None:
    """One run of each kind."""
    for model in KINDS:
        train_text(comparable(model, data), folder / model)


def die_once(folder: Path, data: Path) -> None:
    """A run in which a process is lost; torchrun starts them all again."""
    first = os.environ["TORCHELASTIC_RESTART_COUNT"] == "0"
    if first and os.environ["RANK"] == "1":
        call = Objective.__call__

        def deadly(self: Objective, step: int) -> Tensor:
            if step == DEADLY:
                os.kill(os.getpid(), signal.SIGKILL)
            return call(self, step)

        kind: Any = Objective
        kind.__call__ = deadly
    unharmed(folder, data)


def unharmed(folder: Path, data: Path) -> None:
    """The same run, left alone."""
    train_text(small("lstm", data), folder)


if __name__ == "__main__":
    job = {"train": train_all, "die": die_once, "unharmed": unharmed}[
        sys.argv[1]
    ]
    job(Path(sys.argv[2]), Path(sys.argv[3]))
