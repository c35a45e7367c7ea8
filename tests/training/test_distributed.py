"""Several processes make the same training as one: with a real torchrun."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from nlp_course.training import TrainingLog
from nlp_course.training.checkpoints import load_checkpoint
from nlp_course.training.distributed import (
    Group,
    leads,
    process_group,
    restarted,
)
from nlp_course.training.runs import BEST, LAST, LOG, VALIDATION
from nlp_course.training.text_training import train_text
from tests.training.text_runs import small_text
from tests.training.torchrun_worker import DEADLY, KINDS, comparable

ROOT = Path(__file__).parents[2]


def torchrun(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Two processes on this machine, by PyTorch's own launcher."""
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    command += ["--nproc-per-node", "2", *map(str, arguments)]
    return subprocess.run(
        command,
        capture_output=True,
        text=True,
        timeout=240,
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)},
    )


WORKER = ROOT / "tests" / "training" / "torchrun_worker.py"


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The same runs by two processes and by one."""
    folder = tmp_path_factory.mktemp("runs")
    data = small_text(folder)
    done = torchrun(WORKER, "train", folder / "two", data)
    assert done.returncode == 0, done.stderr
    for model in KINDS:
        train_text(comparable(model, data), folder / "one" / model)
    return {"two": folder / "two", "one": folder / "one"}


@pytest.mark.slow
@pytest.mark.parametrize("model", KINDS)
def test_two_processes_have_the_losses_of_one(
    model: str, both: dict[str, Path]
) -> None:
    """Within rounding: the same numbers are added up in another order."""
    logs = [
        TrainingLog.load(both[count] / model / LOG) for count in ("one", "two")
    ]
    for column in ("step", "loss", "gradient_norm", "layer_changes"):
        one, two = (log.column(column) for log in logs)
        torch.testing.assert_close(two, one, rtol=2e-3, atol=1e-5)
    losses = logs[0].column("loss")
    assert losses[-1] < losses[0] - 0.02, "and they change on the way"


@pytest.mark.slow
@pytest.mark.parametrize("model", KINDS)
def test_one_of_two_processes_writes_the_same_files(
    model: str, both: dict[str, Path]
) -> None:
    names = sorted(path.name for path in (both["two"] / model).iterdir())
    assert names == [BEST, LAST, LOG, VALIDATION]
    one, two = (
        load_checkpoint(both[count] / model / LAST) for count in ("one", "two")
    )
    assert one["step"] == two["step"] == 24
    for state in (one, two):
        state["model"] = list(state["model"].values())
    torch.testing.assert_close(
        two["model"], one["model"], rtol=1e-2, atol=1e-4
    )
    # of all lanes, those of the second process too
    torch.testing.assert_close(
        two["carried"], one["carried"], rtol=1e-2, atol=1e-3
    )


@pytest.mark.slow
def test_a_lost_process_costs_nothing(tmp_path: Path) -> None:
    """torchrun starts all again, and the end is that of an unharmed run."""
    data = small_text(tmp_path)
    harmed, whole = tmp_path / "harmed", tmp_path / "whole"
    done = torchrun("--max-restarts", "1", WORKER, "die", harmed, data)
    assert done.returncode == 0, done.stderr
    assert "exitcode: -9" in done.stderr, "a process was really killed"
    rows = [json.loads(row) for row in (harmed / LOG).read_text().splitlines()]
    assert [row["step"] for row in rows] == list(range(2, 25, 2))
    assert DEADLY < 24
    unharmed = torchrun(WORKER, "unharmed", whole, data)
    assert unharmed.returncode == 0, unharmed.stderr
    for name in (LAST, BEST, LOG, VALIDATION):
        assert (harmed / name).read_bytes() == (whole / name).read_bytes()


def test_alone_a_process_leads_a_group_of_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("RANK", "WORLD_SIZE", "TORCHELASTIC_RESTART_COUNT"):
        monkeypatch.delenv(name, raising=False)
    with process_group() as group:
        assert group == Group(0, 1, torch.device("cpu"))
        assert group.leads
    assert leads()
    assert not restarted()
    monkeypatch.setenv("RANK", "1")
    monkeypatch.setenv("TORCHELASTIC_RESTART_COUNT", "2")
    assert not leads()
    assert restarted()


def test_a_group_of_one_has_all_there_is() -> None:
    group, rows = Group(), torch.arange(6.0)
    model = torch.nn.Linear(1, 1)
    assert torch.equal(group.share(rows), rows)
    assert group.wrap(model) is model
    assert group.total(rows) is rows
    assert group.collect(rows, 0) is rows
    assert group.tell(b"abc") == b"abc"
    assert group.tell(None) == b""


def test_rows_are_dealt_out() -> None:
    rows = torch.arange(12).view(6, 2)
    parts = [Group(rank, 3).share(rows) for rank in range(3)]
    assert torch.equal(torch.cat(parts), rows)
    with pytest.raises(ValueError, match="6 rows cannot be shared out equ"):
        Group(0, 4).share(rows)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_gpu_that_is_not_there_is_refused() -> None:
    with (
        pytest.raises(ValueError, match="device cuda was asked for, but PyT"),
        process_group("cuda"),
    ):
        pass
    unknown: Any = "tpu"
    with (
        pytest.raises(ValueError, match="device must be cpu or cuda"),
        process_group(unknown),
    ):
        pass
