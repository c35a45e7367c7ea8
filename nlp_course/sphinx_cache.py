"""Notebooks that a build must run are run several at a time, beforehand.

Sphinx reads its pages, and so runs their notebooks, one after another.  The
notebooks that are not in the cache yet are run here side by side, and what
they gave is put into the cache, where the build finds it.  A notebook that
the tests have just run need not be run once more (``executed``).
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from functools import partial
from pathlib import Path
from typing import Any

import nbformat
from jupyter_cache import get_cache
from jupyter_cache.base import CacheBundleIn
from jupyter_cache.executors.utils import single_nb_execution
from sphinx.application import Sphinx
from sphinx.util import logging

from nlp_course.executed import kept

LOG = logging.getLogger(__name__)
JOBS = "NLP_COURSE_JOBS"  # how many at a time; each takes one core
MOST = 4  # by default; each also takes most of a gigabyte


def jobs() -> int:
    """How many notebooks run at a time.

    Raises ``ValueError`` if the environment names no positive number.
    """
    given = os.environ.get(JOBS, "")
    if not given:
        return min(MOST, os.cpu_count() or 1)
    if not given.isdecimal() or int(given) < 1:
        raise ValueError(f"{JOBS} must be a positive number, not {given!r}")
    return int(given)


def absent(cache: Any, paths: Sequence[Path]) -> list[tuple[Path, Any]]:
    """The notebooks whose results the cache does not hold."""
    found = []
    for path in paths:
        notebook = nbformat.read(path, as_version=4)
        try:
            cache.match_cache_notebook(notebook)
        except KeyError:
            found.append((path, notebook))
    return found


def run_ahead(app: Sphinx, env: Any, docnames: list[str]) -> None:
    """Fill the cache with the notebooks that are about to be read.

    A notebook that fails is left to the build, which runs it once more and
    reports as it always does.
    """
    config = env.mystnb_config
    if config.execution_mode != "cache":
        return
    paths = [Path(env.doc2path(name)) for name in docnames]
    cache = get_cache(config.execution_cache_path or ".jupyter_cache")
    waiting = absent(cache, [p for p in paths if p.suffix == ".ipynb"])
    waiting = take_kept(Path(app.srcdir), cache, waiting)
    workers = min(jobs(), len(waiting))
    if workers < 2:
        return
    LOG.info(
        "course: running %d notebooks, %d at a time", len(waiting), workers
    )
    run = partial(_run, timeout=config.execution_timeout)
    with ThreadPoolExecutor(workers) as pool:
        futures = {pool.submit(run, *item): item[0] for item in waiting}
        # the database of the cache is written by this thread alone
        for future in as_completed(futures):
            _keep(cache, futures[future], *future.result())


def take_kept(
    root: Path, cache: Any, waiting: list[tuple[Path, Any]]
) -> list[tuple[Path, Any]]:
    """Put what the tests ran into the cache; the notebooks that are left."""
    left = []
    for path, notebook in waiting:
        found = kept(root, path)
        if found is None:
            left.append((path, notebook))
            continue
        run = nbformat.read(found, as_version=4)
        _store(cache, path, run, 0.0)
        LOG.info("course: %s was run by the tests", path.name)
    return left


def _run(path: Path, notebook: Any, *, timeout: int) -> tuple[Any, Any, float]:
    began = time.monotonic()
    result = single_nb_execution(
        notebook,
        cwd=str(path.parent),
        timeout=timeout,
        allow_errors=False,
        meta_override=True,
    )
    return notebook, result.err, time.monotonic() - began


def _keep(
    cache: Any, path: Path, notebook: Any, error: Any, seconds: float
) -> None:
    if error is not None:
        LOG.info("course: %s failed; it will be run once more", path.name)
        return
    _store(cache, path, notebook, seconds)
    LOG.info("course: ran %s in %.0f s", path.name, seconds)


def _store(cache: Any, path: Path, notebook: Any, seconds: float) -> None:
    bundle = CacheBundleIn(
        notebook, str(path), data={"execution_seconds": seconds}
    )
    cache.cache_notebook_bundle(bundle, check_validity=False, overwrite=True)
