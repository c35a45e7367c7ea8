"""Training a language model on a text, in a run that can be interrupted.

The state of a run after a step is in its last checkpoint, and all that
follows is determined by it: a run that is killed at any moment and resumed
ends with the same weights, bit by bit, as one that was left alone.  That
holds on one machine and with one number of threads (and processes); others
add up the same numbers in another order.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import torch

from nlp_course.training.checkpoints import State, from_bytes
from nlp_course.training.distributed import Group, process_group, restarted
from nlp_course.training.runs import (
    BEST,
    LAST,
    Run,
    RunConfig,
    no_run,
    read_checkpoint,
)
from nlp_course.training.trainer import Trainer


def train_text(
    config: RunConfig, folder: str | Path, *, resume: bool = False
) -> Run:
    """Train a model on a text; all that is needed later goes to ``folder``.

    With ``resume`` a run that the folder holds goes on from its last
    checkpoint, and begins if there is none; its options must be the same.
    Under ``torchrun`` the processes share each batch, and after a failure
    the run goes on by itself.

    Raises ``ValueError`` for options that do not fit the text or the run in
    the folder, ``FileExistsError`` for a folder that is in use,
    ``CheckpointError`` for a damaged checkpoint and ``OSError`` where
    nothing can be written.
    """
    folder = Path(folder)
    with process_group(config.device) as group:
        config, state = _begin(
            _settled(config), folder, resume or restarted(), group
        )
        with _threads(config.threads):
            training = Trainer(config, state, folder, group)
            training.run()
            return training.result()


def resume_text(
    folder: str | Path,
    *,
    threads: int | None = None,
    device: str | None = None,
) -> Run:
    """Go on with a run, on other threads or another device if so wished.

    Raises ``FileNotFoundError`` for a folder without a run, and what
    ``train_text`` raises.
    """
    path = Path(folder) / LAST
    if not path.exists():
        raise FileNotFoundError(no_run(Path(folder)))
    config, _ = read_checkpoint(path)
    config = replace(
        config,
        threads=threads or config.threads,
        device=device or config.device,
    )
    return train_text(config, folder, resume=True)


def _settled(config: RunConfig) -> RunConfig:
    """A file is named by its full path: a run may go on from elsewhere."""
    path = Path(config.data).expanduser()
    if not path.is_file():
        return config
    return replace(config, data=str(path.resolve()))


def _begin(
    config: RunConfig, folder: Path, resume: bool, group: Group
) -> tuple[RunConfig, State | None]:
    """The options to use and the state to go on from, in all processes."""
    path = folder / LAST
    found = _found(folder, resume) if group.leads else None
    data = group.tell(found)
    if not data:
        here = config.threads or torch.get_num_threads()
        return replace(config, threads=here), None
    state = from_bytes(data, str(path))
    begun = RunConfig.from_dict(state["config"])
    if changed := config.differences(begun):
        raise ValueError(
            f"{folder} holds a run with other options ({'; '.join(changed)});"
            " resume it with its own, or choose another folder"
        )
    threads = config.threads or begun.threads
    return replace(config, threads=threads), state


def _found(folder: Path, resume: bool) -> bytes:
    """The last checkpoint of a run, empty if it is still to begin."""
    path = folder / LAST
    if path.exists():
        if not resume:
            raise FileExistsError(
                f"{folder} holds a run already; resume it, or choose another "
                "folder"
            )
        read_checkpoint(path)  # refuses a damaged one, with its name
        return path.read_bytes()
    # begun and killed at once, a run leaves a draft of its checkpoint
    if folder.exists() and not folder.is_dir():
        raise FileExistsError(f"{folder} is a file, not a folder")
    drafts = {f".{name}.part" for name in (LAST, BEST)}
    if folder.is_dir() and {p.name for p in folder.iterdir()} - drafts:
        raise FileExistsError(
            f"{folder} holds files but no run; choose a new or empty folder"
        )
    return b""


@contextmanager
def _threads(count: int | None) -> Iterator[None]:
    """Compute with so many threads, and afterwards with as many as before."""
    before = torch.get_num_threads()
    torch.set_num_threads(count or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)
