"""What the processes of test_kills.py do.

They are forked from a server that has loaded everything, so that one starts
in a few milliseconds; they are killed by the signal that cannot be caught.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any

from nlp_course.training import checkpoints, trainer
from nlp_course.training.log import LogFile
from nlp_course.training.runs import LAST, RunConfig
from nlp_course.training.text_training import train_text


def start(target: Any, *arguments: Any) -> ForkServerProcess:
    """A process of its own that runs a function of this module."""
    context = multiprocessing.get_context("forkserver")
    # the second is what the first optimizer of a process brings
    preload = [train_text.__module__, "torch._dynamo"]
    context.set_forkserver_preload(preload)
    process = context.Process(target=target, args=arguments)
    process.start()
    return process


def go_on(config: RunConfig, folder: Path) -> None:
    """Begin the run or resume it; say nothing."""
    _be_quiet()
    train_text(config, folder, resume=True)


def die_at(place: str, count: int, config: RunConfig, folder: Path) -> None:
    """Go on, and be killed when a place is reached for the ``count``-th time.

    The places are the moments of a checkpoint's writing: "half" of the draft
    is written, all is "drafted", it is "replaced"; and "row", half a row of
    the log is written.
    """
    _be_quiet()
    _PLACES[place](Countdown(count))
    train_text(config, folder, resume=True)


class Countdown:
    """Tells when a place is reached for the last time."""

    def __init__(self, count: int) -> None:
        self.left = count

    def __bool__(self) -> bool:
        self.left -= 1
        return self.left == 0


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _half(reached: Countdown) -> None:
    write = checkpoints.write_atomically

    def half(path: Path, data: bytes) -> None:
        if path.name == LAST and reached:
            beside = path.with_name(f".{path.name}.part")
            beside.write_bytes(data[: len(data) // 2])
            _die()
        write(path, data)

    module: Any = trainer
    module.write_atomically = half


def _drafted(reached: Countdown) -> None:
    replace = os.replace

    def never(source: Path, target: Path) -> None:
        if Path(target).name == LAST and reached:
            _die()
        replace(source, target)

    module: Any = os
    module.replace = never


def _replaced(reached: Countdown) -> None:
    replace = os.replace

    def last(source: Path, target: Path) -> None:
        replace(source, target)
        if Path(target).name == LAST and reached:
            _die()

    module: Any = os
    module.replace = last


def _row(reached: Countdown) -> None:
    append = LogFile.append

    def half(self: LogFile, **values: Any) -> None:
        if reached:
            self._file.write(b'{"step": 3, "lo')
            _die()
        append(self, **values)

    kind: Any = LogFile
    kind.append = half


_PLACES = {
    "half": _half,
    "drafted": _drafted,
    "replaced": _replaced,
    "row": _row,
}


def _be_quiet() -> None:
    """Show no progress: the tests look at files."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
