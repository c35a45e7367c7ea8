"""A log survives being written, cut off and overwritten."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from nlp_course.training import TrainingLog
from nlp_course.training.log import LogFile

numbers = st.floats(allow_nan=False) | st.integers(-(2**53), 2**53)
rows = st.lists(
    st.fixed_dictionaries({"step": st.integers(0, 10**6), "loss": numbers}),
    min_size=1,
    max_size=8,
)


def filled(count: int = 3) -> TrainingLog:
    log = TrainingLog()
    for step in range(1, count + 1):
        losses = torch.tensor([1.0, 2.0]) / step
        log.append(step=step, loss=losses)
    return log


def test_columns_are_tensors() -> None:
    log = filled()
    assert log.column("step").tolist() == [1, 2, 3]
    assert log.column("loss").shape == (3, 2)
    assert log.column("loss").dtype == torch.float64
    assert log.column("loss")[1].tolist() == [0.5, 1.0]


def test_rows_hold_plain_numbers() -> None:
    log = TrainingLog()
    weight = torch.tensor(2.0, requires_grad=True)
    log.append(step=1, loss=weight * 2, both=weight * torch.ones(2))
    assert list(log) == [{"step": 1, "loss": 4.0, "both": [2.0, 2.0]}]
    assert len(log) == 1


@pytest.mark.parametrize(
    ("log", "known"),
    [
        (filled(), "['loss', 'step']"),
        (TrainingLog(), "[]"),
        (TrainingLog([{"a": 1}, {"los": 2}]), "['a', 'los']"),
        (TrainingLog([{"los": 1, "loss": 2}, {"los": 2}]), "['los', 'loss']"),
    ],
    ids=["other", "empty", "never", "not always"],
)
def test_an_unknown_column_is_named(log: TrainingLog, known: str) -> None:
    name = "loss" if "step" not in known else "los"
    with pytest.raises(KeyError, match="no column") as caught:
        log.column(name)
    assert repr(name) in str(caught.value)
    assert known in str(caught.value)


def test_a_log_does_not_share_its_list() -> None:
    records: list[dict[str, Any]] = [{"step": 1}]
    log = TrainingLog(records)
    log.append(step=2)
    assert records == [{"step": 1}]


@given(records=rows)
def test_what_is_saved_is_loaded(
    records: list[dict[str, Any]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.getbasetemp() / "log.jsonl"
    TrainingLog(records).save(path)
    assert TrainingLog.load(path).records == records


def test_infinite_and_missing_numbers_come_back(tmp_path: Path) -> None:
    log = TrainingLog([{"loss": [float("inf"), float("nan")]}])
    log.save(tmp_path / "log.jsonl")
    loss = TrainingLog.load(tmp_path / "log.jsonl").column("loss")
    assert loss[0, 0] == float("inf")
    assert loss[0, 1].isnan()


def test_one_record_stands_on_one_line(tmp_path: Path) -> None:
    filled().save(tmp_path / "log.jsonl")
    lines = (tmp_path / "log.jsonl").read_text().splitlines()
    assert [json.loads(line)["step"] for line in lines] == [1, 2, 3]


def test_cut_off_anywhere_a_log_keeps_its_whole_lines(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    filled().save(path)
    whole = path.read_bytes()
    for size in range(len(whole)):
        path.write_bytes(whole[:size])
        kept = TrainingLog.load(path).records
        ends = whole[: size + 1].count(b"\n")  # a line needs no line end
        assert kept == filled().records[:ends]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ('{"a": 1}\n{"a": \n{"a": 3}\n', "line 2: not a log record"),
        ('{"a": 1}\n\n{"a": 3}\n', "line 2: not a log record"),
        ('{"a": 1}\n[2]\n', "line 2: a record must be an object"),
        ("no log at all\n", "line 1: not a log record"),
        ('{"a": 1}\n{"a": \n', "line 2: not a log record"),
    ],
)
def test_a_spoilt_line_is_named(
    tmp_path: Path, content: str, words: str
) -> None:
    path = tmp_path / "log.jsonl"
    path.write_text(content)
    with pytest.raises(ValueError, match=words) as caught:
        TrainingLog.load(path)
    assert str(path) in str(caught.value)


def test_a_save_that_fails_leaves_the_old_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "log.jsonl"
    filled(1).save(path)
    before = path.read_bytes()

    unwritable = filled(2)
    unwritable.records.append({"loss": object()})
    with pytest.raises(TypeError):
        unwritable.save(path)
    assert path.read_bytes() == before

    def no_room(self: Path, text: str, *_args: Any, **_options: Any) -> int:
        with self.open("w") as file:
            file.write(text[:10])
        raise OSError("no space left")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_text", no_room)
        with pytest.raises(OSError, match="no space left"):
            filled(2).save(path)
    assert path.read_bytes() == before


def test_a_save_replaces_the_file_in_one_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "log.jsonl"
    filled(1).save(path)
    replaced: list[tuple[Path, Path]] = []
    replace = os.replace

    def watch(source: Path, target: Path) -> None:
        assert TrainingLog.load(source).records == filled(2).records
        assert TrainingLog.load(target).records == filled(1).records
        replaced.append((source, target))
        replace(source, target)

    monkeypatch.setattr(os, "replace", watch)
    filled(2).save(str(path))
    assert [target for _, target in replaced] == [path]
    assert TrainingLog.load(path).records == filled(2).records
    assert [p.name for p in tmp_path.iterdir()] == ["log.jsonl"]


def test_a_row_is_in_the_file_at_once(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    log = LogFile(path)
    assert path.read_text() == ""
    for step in (1, 2):
        log.append(step=step, loss=torch.tensor([0.5, 1 / 3]))
        assert TrainingLog.load(path).records == log.records
    log.sync()
    log.close()
    assert len(log) == 2
    with pytest.raises(ValueError, match="closed file"):
        log.append(step=3)


def test_a_new_log_replaces_an_old_one(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    filled().save(path)
    LogFile(path).close()
    assert path.read_text() == ""


@pytest.mark.parametrize("step", [0, 1, 2, 3, 9])
def test_a_log_goes_on_after_a_step(tmp_path: Path, step: int) -> None:
    """Later rows are cut off, and so is a row that was cut off itself."""
    path = tmp_path / "log.jsonl"
    filled().save(path)
    with path.open("a") as file:
        file.write('{"step": 4, "lo')
    log = LogFile(path, step)
    kept = filled().records[:step]
    assert log.records == TrainingLog.load(path).records == kept
    log.append(step=10, loss=1.0)
    log.close()
    wanted = [*kept, {"step": 10, "loss": 1.0}]
    assert TrainingLog.load(path).records == wanted


def test_a_log_that_was_lost_begins_anew(tmp_path: Path) -> None:
    log = LogFile(tmp_path / "log.jsonl", 5)
    assert len(log) == 0
    log.close()


def test_a_spoilt_log_is_not_continued(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    path.write_text("no log at all\n")
    with pytest.raises(ValueError, match="line 1: not a log record"):
        LogFile(path, 1)
    assert path.read_text() == "no log at all\n"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_row_that_finds_no_room_is_an_error(tmp_path: Path) -> None:
    log = LogFile(tmp_path / "log.jsonl")
    log.append(step=1)
    log.close()
    with open("/dev/full", "ab", buffering=0) as full:
        log._file = full
        with pytest.raises(OSError, match="No space left on device"):
            log.append(step=2)


def test_a_row_that_is_taken_in_parts_is_written_whole(
    tmp_path: Path,
) -> None:
    class Narrow:
        """Takes three bytes at a time, as a file may."""

        def __init__(self) -> None:
            self.taken = b""

        def write(self, data: memoryview) -> int:
            self.taken += bytes(data[:3])
            return min(3, len(data))

    log = LogFile(tmp_path / "log.jsonl")
    log.close()
    narrow: Any = Narrow()
    log._file = narrow
    log.append(step=1, loss=0.25)
    assert json.loads(narrow.taken) == {"step": 1, "loss": 0.25}
    assert narrow.taken.endswith(b"\n")


def test_a_log_in_memory_has_nothing_to_close() -> None:
    log = filled()
    log.sync()
    log.close()
    assert len(log) == 3
