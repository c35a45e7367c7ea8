"""The command ``nlp-course``: train a language model on a text of your own.

The commands are thin: each calls one function of ``nlp_course.training`` or
``nlp_course.generation`` that can be called without it.
"""
