"""Helper package of the course *From RNNs to GPT*.

The models import torch alone; ``data`` makes texts, tasks and batches,
``training`` runs the loops, ``display`` draws.  Importing the package seeds
nothing, downloads nothing and changes no setting.
"""

__version__ = "0.1.0"
