"""The pages that a reader can come to."""

from __future__ import annotations

import os
from pathlib import Path

from tools.build_book import pages

PROJECT = Path(__file__).parents[2]
ROOT = Path(os.environ.get("COURSE_BOOK", PROJECT)).resolve()
HTML = ROOT / "_build" / "html"
MADE_BY_SPHINX = ("search", "genindex")

NAMES = tuple(page.name for page in pages(ROOT))
PAGES = NAMES + MADE_BY_SPHINX
CHAPTERS = tuple(name for name in NAMES if name.startswith("notebooks/"))
