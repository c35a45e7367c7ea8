"""What every build of the book needs, however the build is started.

* notebooks that must be run are run several at a time (``sphinx_cache``);
* kernels run in static mode, so that explorables draw their pictures;
* the execution cache is thrown away when the package, the registry of claims
  or the pins change (it looks only at the code cells itself);
* pages made from the run are written again whenever a notebook is;
* a build that ended with warnings leaves nothing for the next to trust;
* the directives ``evidence`` and ``common-slips`` make tables from the run.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective

from nlp_course.claims import GLUE_NAME, Statement, registry
from nlp_course.executed import fingerprint
from nlp_course.sphinx_cache import run_ahead

LOG = logging.getLogger(__name__)
STAMP = ".course-fingerprint"
MADE_FROM_RUN = ("{glue", "{evidence}", "{common-slips}")


def guard_cache(app: Sphinx, _config: Any) -> None:
    """Clear the cache of executed notebooks if it is out of date."""
    build = Path(app.outdir).parent
    stamp = build / STAMP
    now = fingerprint(Path(app.srcdir))
    stale = not stamp.exists() or stamp.read_text() != now
    app._course_stale = stale  # type: ignore[attr-defined]
    if stale:
        LOG.info("course: package, claims or pins changed: executing afresh")
        shutil.rmtree(build / ".jupyter_cache", ignore_errors=True)
        # what this build runs is not what an older stamp vouched for
        stamp.unlink(missing_ok=True)


def keep_stamp(app: Sphinx, exception: Exception | None) -> None:
    """Trust what a build left only if it ended well.

    After a build with warnings Sphinx would not read the faulty pages again,
    and the second build with ``-W`` would pass with the fault still there.
    """
    if exception is None and app._warncount == 0:
        stamp = Path(app.outdir).parent / STAMP
        stamp.write_text(fingerprint(Path(app.srcdir)))
    else:
        Path(app.doctreedir, "environment.pickle").unlink(missing_ok=True)


def outdated(
    app: Sphinx,
    env: Any,
    added: set[str],
    changed: set[str],
    _removed: set[str],
) -> list[str]:
    """Pages to read again: those made from the run, after any run."""
    paths = {doc: Path(env.doc2path(doc)) for doc in env.found_docs}
    notebooks = {doc for doc, p in paths.items() if p.suffix == ".ipynb"}
    stale = app._course_stale  # type: ignore[attr-defined]
    again = set(notebooks) if stale else set()
    if notebooks & (added | changed | again):
        for doc, path in paths.items():
            text = path.read_text("utf-8")
            if any(mark in text for mark in MADE_FROM_RUN):
                again.add(doc)
    return sorted(again)


class evidence_table(nodes.General, nodes.Element):
    """Holds the place of a table until every notebook has been run."""


class Evidence(SphinxDirective):
    """``{evidence}``: every claim, what this run measured, and where.

    ``{common-slips}`` is the same for statements that are often told wrongly.
    """

    def run(self) -> list[nodes.Node]:
        """Leave a place; the table comes when all has been run."""
        return [evidence_table(slips=self.name == "common-slips")]


def fill_tables(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    """Replace the places held by ``Evidence`` with their tables."""
    for place in list(doctree.findall(evidence_table)):
        make = _slips if place["slips"] else _evidence
        place.replace_self(list(make(app, docname)))


def measured(app: Sphinx, chapter: str) -> dict[str, str]:
    """What the run of a chapter measured, by id of the claim."""
    folder = Path(app.env.mystnb_config.output_folder)  # type: ignore[attr-defined]
    path = folder / "notebooks" / f"{chapter}.glue.json"
    if not path.is_file():
        return {}
    outputs = json.loads(path.read_text("utf-8"))
    found = {}
    for name, output in outputs.items():
        if name.startswith(GLUE_NAME):
            key = name.removeprefix(GLUE_NAME)
            line = output["data"]["text/plain"]  # "✓ key: what was measured"
            found[key] = line.partition(f"{key}: ")[2]
    return found


def _chapters(app: Sphinx) -> Iterator[tuple[str, list[Statement]]]:
    """Statements by chapter, for the chapters that the book has."""
    by_chapter: dict[str, list[Statement]] = {}
    for statement in registry().values():
        by_chapter.setdefault(statement.chapter, []).append(statement)
    for chapter, statements in by_chapter.items():
        if f"notebooks/{chapter}" in app.env.found_docs:
            yield chapter, statements


def _evidence(app: Sphinx, docname: str) -> Iterator[nodes.Node]:
    for chapter, statements in _chapters(app):
        found = measured(app, chapter)
        rows = []
        for s in statements:
            if s.id not in found:
                LOG.warning("claim %s was not measured in %s", s.id, chapter)
                continue
            rows.append(
                [
                    _link(app, docname, s, nodes.literal("", s.id)),
                    nodes.Text(s.statement),
                    nodes.Text(s.verdict),
                    nodes.Text(found[s.id]),
                ]
            )
        title = app.env.titles[f"notebooks/{chapter}"].astext()
        heads = ["Claim", "Statement", "Verdict", "Measured in this run"]
        yield _section(chapter, title, _table(heads, rows, (14, 36, 12, 38)))


def _slips(app: Sphinx, docname: str) -> Iterator[nodes.Node]:
    for chapter, statements in _chapters(app):
        found = measured(app, chapter)
        rows = [
            [
                nodes.Text(s.usual),
                nodes.Text(s.statement),
                _link(app, docname, s, nodes.Text(found.get(s.id, ""))),
            ]
            for s in statements
            if s.usual
        ]
        if rows:
            title = app.env.titles[f"notebooks/{chapter}"].astext()
            heads = ["Often said", "What is true", "Measured in this run"]
            yield _section(chapter, title, _table(heads, rows, (30, 35, 35)))


def _section(key: str, title: str, body: nodes.Node) -> nodes.section:
    section = nodes.section(ids=[f"from-{key.replace('_', '-')}"])
    section += nodes.title("", title)
    section += body
    return section


def _link(
    app: Sphinx, docname: str, statement: Statement, text: nodes.Node
) -> nodes.reference:
    """A link to the cell in which the claim was measured."""
    target = f"notebooks/{statement.chapter}"
    assert app.builder is not None
    uri = app.builder.get_relative_uri(docname, target)
    anchor = f"{uri}#claim-{statement.id}"
    link = nodes.reference("", "", internal=True, refuri=anchor)
    link += text
    return link


def _table(
    heads: list[str], rows: list[list[nodes.Node]], widths: tuple[int, ...]
) -> nodes.table:
    table = nodes.table(classes=["course-evidence"])
    group = nodes.tgroup(cols=len(heads))
    group += [nodes.colspec(colwidth=width) for width in widths]
    head = nodes.thead()
    head += _row([nodes.Text(text) for text in heads])
    body = nodes.tbody()
    body += [_row(cells) for cells in rows]
    group += [head, body]
    table += group
    return table


def _row(cells: list[nodes.Node]) -> nodes.row:
    row = nodes.row()
    for cell in cells:
        entry = nodes.entry()
        paragraph = nodes.paragraph()
        paragraph += cell
        entry += paragraph
        row += entry
    return row


def setup(app: Sphinx) -> dict[str, Any]:
    """Called by Sphinx; ``_config.yml`` names this module."""
    os.environ["NLP_COURSE_STATIC"] = "1"
    os.environ.setdefault("PYDEVD_DISABLE_FILE_VALIDATION", "1")
    # one thread: as fast for these sizes, and sums come out the same
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    app.add_node(evidence_table)
    app.add_directive("evidence", Evidence)
    app.add_directive("common-slips", Evidence)
    app.connect("config-inited", guard_cache)
    app.connect("env-get-outdated", outdated)
    app.connect("env-before-read-docs", run_ahead)
    app.connect("doctree-resolved", fill_tables)
    app.connect("build-finished", keep_stamp)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
