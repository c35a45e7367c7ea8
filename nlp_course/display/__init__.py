"""Figures, diagrams and explorables.  Models never import this."""

from nlp_course.display.diagrams import Diagram
from nlp_course.display.explorables import Slider, explore
from nlp_course.display.figures import Picture, show
from nlp_course.display.glue import glue
from nlp_course.display.style import COLOURS, SERIES, use_course_style

__all__ = [
    "COLOURS",
    "SERIES",
    "Diagram",
    "Picture",
    "Slider",
    "explore",
    "glue",
    "show",
    "use_course_style",
]
