"""A matplotlib figure as inline SVG that follows the page's theme."""

from __future__ import annotations

import hashlib
import io
import re
import xml.etree.ElementTree as ET
from typing import TYPE_CHECKING

import matplotlib as mpl
from matplotlib.figure import Figure

from nlp_course.display.style import FONT, ROLES, STYLE

if TYPE_CHECKING:
    from matplotlib.typing import RcKeyType

SVG = "http://www.w3.org/2000/svg"
XLINK = "http://www.w3.org/1999/xlink"
# Verdana has the same widths as DejaVu Sans and is found where that is not
_FONTS = f"'{FONT}', Verdana, sans-serif"

ET.register_namespace("", SVG)
ET.register_namespace("xlink", XLINK)


def to_svg(figure: Figure, alt: str) -> str:
    """The figure as one ``<svg>`` element, described by ``alt``.

    Text stays text (searchable, translatable), stand-in colours become CSS
    variables, ids are unique to the picture, so that several can stand on
    one page.

    Raises ``ValueError`` if the description is empty.
    """
    if not alt.strip():
        raise ValueError(
            "a picture needs a description (alt) for those who cannot see it"
        )
    root = ET.fromstring(_raw(figure))
    for metadata in root.findall(f"{{{SVG}}}metadata"):
        root.remove(metadata)
    _keep_style_inside(root)
    width = float(str(root.get("width")).removesuffix("pt"))
    _rename_ids(root, alt)
    for key in ("width", "height", "version"):
        root.attrib.pop(key, None)
    root.set("role", "img")
    root.set("aria-label", " ".join(alt.split()))
    root.set("focusable", "false")
    # points to CSS pixels, so that 11 pt text has the size of the page's
    root.set("style", f"width:{width * 4 / 3:.0f}px;max-width:100%")
    return _themed(ET.tostring(root, encoding="unicode"))


def _raw(figure: Figure) -> str:
    buffer = io.StringIO()
    keep: tuple[RcKeyType, ...] = ("svg.fonttype", "svg.hashsalt")
    with mpl.rc_context({key: STYLE[key] for key in keep}):
        figure.savefig(buffer, format="svg", metadata={"Date": None})
    text = buffer.getvalue()
    return text[text.index("<svg") :]


def _keep_style_inside(root: ET.Element) -> None:
    """Matplotlib's ``<style>*{…}</style>`` would reach the whole page.

    What it says of all elements stands on the picture itself instead, from
    which they inherit it.
    """
    for defs in root.iter(f"{{{SVG}}}defs"):
        for style in defs.findall(f"{{{SVG}}}style"):
            rules = (style.text or "").strip().removeprefix("*").strip("{} ")
            for rule in filter(None, rules.split(";")):
                name, _, value = rule.partition(":")
                root.set(name.strip(), value.strip())
            defs.remove(style)


def _rename_ids(root: ET.Element, alt: str) -> None:
    """Drop ids that nothing refers to; make the others unique."""
    text = ET.tostring(root, encoding="unicode")
    used = set(re.findall(r"url\(#([^)]+)\)", text))
    used |= set(re.findall(r'href="#([^"]+)"', text))
    prefix = hashlib.sha256((alt + text).encode()).hexdigest()[:8]
    for element in root.iter():
        name = element.get("id")
        if name is None:
            continue
        if name in used:
            element.set("id", f"{prefix}-{name}")
        else:
            del element.attrib["id"]
    for element in root.iter():
        for key, value in element.attrib.items():
            if key.endswith("href") and value.startswith("#"):
                element.set(key, f"#{prefix}-{value[1:]}")
            elif "url(#" in value:
                element.set(key, value.replace("url(#", f"url(#{prefix}-"))


def _themed(svg: str) -> str:
    for name, role in ROLES.items():
        variable = f"var(--course-{name}, {role.light})"
        if name == "ink":
            variable = "currentColor"
        svg = svg.replace(role.stand_in, variable)
    return svg.replace(f"'{FONT}'", _FONTS)
