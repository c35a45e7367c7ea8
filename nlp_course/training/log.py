"""What happened during training, step by step."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

Record = dict[str, Any]


class TrainingLog:
    """A table with one row a step, which can be written and read back.

    A value is a number, or a list of numbers where several networks train
    side by side.  On disk it is one JSON object a line, so that a log that
    was cut off can still be read up to its last whole line.
    """

    def __init__(self, records: list[Record] | None = None) -> None:
        self.records: list[Record] = list(records or [])

    def append(self, **values: float | Tensor | list[float]) -> None:
        """Add a row; tensors are stored as numbers or lists of them."""
        self.records.append({k: _plain(v) for k, v in values.items()})

    def column(self, name: str) -> Tensor:
        """All values of one name: ``(rows,)`` or ``(rows, networks)``.

        Raises ``KeyError`` with the known names if there is no such column.
        """
        if not self.records or any(name not in r for r in self.records):
            known = sorted(set().union(*self.records))
            raise KeyError(f"no column {name!r} in this log; it has {known}")
        rows = [record[name] for record in self.records]
        return torch.tensor(rows, dtype=torch.float64)

    def __len__(self) -> int:
        return len(self.records)

    def __iter__(self) -> Iterator[Record]:
        return iter(self.records)

    def sync(self) -> None:
        """Return when all rows are where they are kept: here, in memory."""

    def close(self) -> None:
        """Nothing is open."""

    def save(self, path: str | Path) -> None:
        """Write the log; an existing file is replaced whole or not at all."""
        path = Path(path)
        draft = path.with_name(path.name + ".part")
        lines = [json.dumps(record) for record in self.records]
        draft.write_text("".join(f"{line}\n" for line in lines), "utf-8")
        os.replace(draft, path)

    @classmethod
    def load(cls, path: str | Path) -> TrainingLog:
        """Read a log that ``save`` wrote.

        A last line that was cut off is left out.  Raises ``ValueError``
        with the line number for any other line that is no record.
        """
        text = Path(path).read_text("utf-8")
        lines = text.splitlines()
        records = []
        for number, line in enumerate(lines, start=1):
            try:
                record = json.loads(line)
            except json.JSONDecodeError as error:
                if number == len(lines) and not text.endswith("\n"):
                    break  # cut off
                raise ValueError(
                    f"{path}, line {number}: not a log record ({error.msg})"
                ) from error
            if not isinstance(record, dict):
                raise ValueError(
                    f"{path}, line {number}: a record must be an object"
                )
            records.append(record)
        return cls(records)


class LogFile(TrainingLog):
    """A log whose rows are in a file as soon as they are appended.

    Opened with a ``step`` it goes on with what the file holds up to that
    step; later rows are cut off, for they will be written again.  Without
    one it begins anew.

    Raises ``ValueError`` if the file that is to be continued is no log,
    ``OSError`` if it cannot be written.
    """

    def __init__(self, path: str | Path, step: int | None = None) -> None:
        self.path = Path(path)
        kept: list[Record] = []
        if step is not None and self.path.exists():
            kept = [r for r in TrainingLog.load(path) if r["step"] <= step]
        super().__init__(kept)
        self.save(path)
        # unbuffered: what could not be written is an error here and now
        self._file = self.path.open("ab", buffering=0)

    def append(self, **values: float | Tensor | list[float]) -> None:
        """Add a row, here and in the file."""
        super().append(**values)
        line = json.dumps(self.records[-1]) + "\n"
        rest = memoryview(line.encode("utf-8"))
        while rest:  # a disk that fills up takes a part and then refuses
            rest = rest[self._file.write(rest) :]

    def sync(self) -> None:
        """Return when all rows are on the disk, safe from a power cut."""
        os.fsync(self._file.fileno())

    def close(self) -> None:
        """Close the file; the rows can still be read from here."""
        self._file.close()


def _plain(value: float | Tensor | list[float]) -> Any:
    return value.tolist() if isinstance(value, Tensor) else value
