"""Say in one sentence what this machine lacks, and the remedy.

    python tools/doctor.py python     can this Python make the environment?
    python tools/doctor.py browser    is there a browser to test pages in?

It must run, and speak plainly, on the Python that is too old for the rest:
nothing here needs more than Python 3.6 or anything beyond the standard
library.
"""

import importlib.util
import os
import shutil
import sys
from typing import List, Mapping, Optional, Sequence

NEEDED = (3, 11)
BROWSERS = (
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
)


def python_problem(version: Sequence[int], executable: str) -> Optional[str]:
    """Say why this version of Python will not do, or return None."""
    if tuple(version[:2]) >= NEEDED:
        return None
    return (
        "{} is Python {}, and the course needs {} or newer: install a newer "
        "Python, then type `make PYTHON=python{} ...`."
    ).format(
        executable,
        ".".join(str(part) for part in version[:3]),
        ".".join(str(part) for part in NEEDED),
        ".".join(str(part) for part in NEEDED),
    )


def missing_modules() -> List[str]:
    """List the modules without which `python -m venv` fails."""
    wanted = ("venv", "ensurepip", "ssl")
    return [name for name in wanted if importlib.util.find_spec(name) is None]


def venv_problem(missing: Sequence[str], executable: str) -> Optional[str]:
    """Say why no environment can be made with this Python, or None."""
    if not missing:
        return None
    return (
        "{} comes without {}, so it cannot make the environment: on Debian "
        "and Ubuntu type `sudo apt-get install python{}.{}-venv`, elsewhere "
        "install a complete Python, and type the same make command again."
    ).format(executable, " and ".join(missing), *sys.version_info[:2])


def find_browser(environ: Mapping[str, str]) -> Optional[str]:
    """Find a Chromium: $CHROMIUM if it is set, else the first on $PATH."""
    named = environ.get("CHROMIUM")
    if named:
        return shutil.which(named, path=environ.get("PATH"))
    for name in BROWSERS:
        found = shutil.which(name, path=environ.get("PATH"))
        if found:
            return found
    return None


def browser_problem(environ: Mapping[str, str]) -> Optional[str]:
    """Say why the pages cannot be tested in a browser, or return None."""
    if find_browser(environ):
        return None
    named = environ.get("CHROMIUM")
    start = (
        "CHROMIUM is {}, which is not a program".format(named)
        if named
        else "No Chromium or Chrome was found"
    )
    return start + (
        ", so the pages of the book cannot be tested: install one (on Debian "
        "`sudo apt-get install chromium`) or set CHROMIUM to its path."
    )


def diagnose(subject: str) -> Optional[str]:
    """Look for the problem of one subject, "python" or "browser"."""
    if subject == "browser":
        return browser_problem(os.environ)
    return python_problem(
        sys.version_info[:3], sys.executable
    ) or venv_problem(missing_modules(), sys.executable)


def main(arguments: Sequence[str]) -> int:
    """Print the problem, if any; the exit status is 1 if there is one."""
    if list(arguments) not in (["python"], ["browser"]):
        print("usage: doctor.py python|browser", file=sys.stderr)
        return 2
    problem = diagnose(arguments[0])
    if problem:
        print(problem, file=sys.stderr)
    elif arguments[0] == "browser":
        print(find_browser(os.environ))
    return 1 if problem else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
