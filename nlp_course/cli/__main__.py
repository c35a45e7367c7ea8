"""``python -m nlp_course.cli``, the same as ``nlp-course``."""

import sys

from nlp_course.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
