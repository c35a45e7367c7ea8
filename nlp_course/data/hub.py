"""Files of public repositories: one version, fetched once and kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

import torch.hub

_RAW = "https://raw.githubusercontent.com"
_BUILDERS = {".parquet": "parquet", ".jsonl": "json", ".json": "json"}


@dataclass(frozen=True)
class Repository:
    """One version of a public repository.

    ``name`` is ``owner/name``, ``revision`` the full hash of a commit, so
    that the files can never change.  A repository with ``hashes``, the
    SHA-256 of each file by its path, is on GitHub, any other among the data
    sets of the Hugging Face hub, whose client checks the files itself.

    What was fetched is kept by its revision, in the cache of that client or,
    from GitHub, in that of ``torch.hub``; then no network is needed.
    """

    name: str
    revision: str
    hashes: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        where = "GitHub" if self.hashes else "Hugging Face"
        return f"{self.name} ({where}, revision {self.revision})"

    def files(
        self,
        pattern: str,
        *,
        copy: str | Path | None = None,
        instead: str = "a copy",
    ) -> list[Path]:
        """The files whose path in the repository fits a pattern, in order.

        ``*`` in the pattern stands for any characters; on GitHub the path
        must be whole.  ``copy`` is a folder with a copy of the repository:
        then nothing is fetched.  ``instead`` stands in the message of a
        failure: what to use without a network.

        Raises ``FileNotFoundError`` if ``copy`` holds no such file,
        ``ConnectionError`` if the files are not kept yet and cannot be
        fetched, ``ModuleNotFoundError`` without the package to do it.
        """
        if copy is not None:
            folder = Path(copy).expanduser()
            found = sorted(folder.glob(pattern))
            if not found:
                raise FileNotFoundError(
                    f"{folder} holds no file {pattern}; a copy must have the "
                    f"folders of the repository {self.name}"
                )
            return found
        fetch = self._from_github if self.hashes else self._from_hub
        try:
            return fetch(pattern)
        except ModuleNotFoundError:
            raise
        except Exception as error:  # dozens of kinds, all with the same cure
            raise ConnectionError(
                f"{self} needs the network the first time, after that it is "
                f"kept; without a network use {instead} ({_reason(error)})"
            ) from error

    def _from_hub(self, pattern: str) -> list[Path]:
        _package("datasets")  # that reads the files: better told before
        folder = _package("huggingface_hub").snapshot_download(
            self.name,
            repo_type="dataset",
            revision=self.revision,
            allow_patterns=[pattern],
        )
        found = sorted(Path(folder).glob(pattern))
        if not found:
            raise FileNotFoundError(f"the repository holds no file {pattern}")
        return found

    def _from_github(self, path: str) -> list[Path]:
        cache = Path(torch.hub.get_dir(), "nlp_course")
        kept = cache / self.name / self.revision / path
        if not kept.is_file():
            kept.parent.mkdir(parents=True, exist_ok=True)
            url = f"{_RAW}/{self.name}/{self.revision}/{path}"
            torch.hub.download_url_to_file(url, str(kept), self.hashes[path])
        return [kept]


def read_rows(
    paths: Sequence[Path], columns: Sequence[str], *, limit: int | None = None
) -> list[Mapping[str, Any]]:
    """The rows of a table that stands in Parquet or JSON files.

    Raises ``ValueError`` for another kind of file, one that is broken, or
    one without the columns, ``ModuleNotFoundError`` without the package
    ``datasets``.
    """
    kind = _BUILDERS.get(paths[0].suffix)
    if kind is None:
        raise ValueError(
            f"{paths[0]} is none of {', '.join(_BUILDERS)}, the kinds of "
            "tables that can be read"
        )
    datasets = _package("datasets")
    try:
        table = datasets.load_dataset(
            kind, data_files=[str(path) for path in paths], split="train"
        )
    except Exception as error:  # dozens of kinds, all with the same cure
        raise ValueError(
            f"{paths[0]} cannot be read as {kind}: {_reason(error)}"
        ) from error
    missing = [name for name in columns if name not in table.column_names]
    if missing:
        raise ValueError(
            f"{paths[0]} has no column {', '.join(missing)}, but "
            f"{', '.join(table.column_names)}"
        )
    count = len(table) if limit is None else min(limit, len(table))
    return list(table.select_columns(list(columns)).select(range(count)))


def _package(name: str) -> Any:
    try:
        return import_module(name)
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "public corpora need the package datasets: "
            'pip install "nlp-course[corpora]"'
        ) from error


def _reason(error: BaseException) -> str:
    """What went wrong at the bottom, in one line."""
    while below := error.__cause__ or error.__context__:
        error = below
    return f"{type(error).__name__}: {' '.join(str(error).split())}"
