"""Text to learn from, without a download."""

from __future__ import annotations

from pathlib import Path
from pydoc_data.topics import topics as _TOPICS


def topics() -> str:
    """English prose that every Python brings along.

    The help texts of Python itself (module ``pydoc_data.topics`` of the
    standard library), in the order of their names.  The help repeats itself,
    so each paragraph is kept only where it first appears: otherwise a test
    split would hold text that was also trained on.

    The text differs a little between Python versions; results that depend
    on it must leave room for that.
    """
    seen: set[str] = set()
    kept = []
    for name in sorted(_TOPICS):
        for paragraph in _TOPICS[name].split("\n\n"):
            key = paragraph.strip()
            if key and key not in seen:
                seen.add(key)
                kept.append(paragraph.strip("\n"))
    return "\n\n".join(kept) + "\n"


def read_text(path: str | Path) -> str:
    """Read a UTF-8 text file of your own.

    Line ends become ``\\n`` and a byte order mark is dropped.

    Raises ``FileNotFoundError`` if there is no such file (a folder is not
    one), ``ValueError`` if it holds no text or is not UTF-8; the message
    says where the first wrong byte stands.
    """
    path = Path(path).expanduser()
    if not path.is_file():
        kind = "is a folder, not a file" if path.is_dir() else "does not exist"
        raise FileNotFoundError(
            f"{path} {kind}; give the path of a UTF-8 text file"
        )
    raw = path.read_bytes()
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        start = error.start + len(raw) - len(error.object)  # past the mark
        line = len((raw[:start] + b".").splitlines())
        raise ValueError(
            f"{path} is not UTF-8 text: byte 0x{raw[start]:02x} at "
            f"position {start} (line {line}); save it as UTF-8"
        ) from error
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    if not text.strip():
        raise ValueError(f"{path} holds no text")
    return text
