"""Exercises that check the reader's answer, and refuse an empty one.

``grade("01-cell", my_cell)`` runs the answer against a reference and says in
one line what is right or wrong.  It never raises for a wrong answer, so that
an unsolved notebook still runs; ``.require()`` does, and the hidden
solutions end in it.
"""

from nlp_course.exercises.grading import (
    Grade,
    NotSolvedError,
    exercises,
    grade,
)

__all__ = ["Grade", "NotSolvedError", "exercises", "grade"]
