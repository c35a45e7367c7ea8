"""Seeds, the training loop, its log, and many networks side by side."""

from nlp_course.training.ensemble import Ensemble
from nlp_course.training.experiments import (
    accuracy,
    at_scale,
    fastest,
    train_on,
)
from nlp_course.training.log import TrainingLog
from nlp_course.training.loop import TrainingConfig, train
from nlp_course.training.progress import progress
from nlp_course.training.readers import BagReader, Reader
from nlp_course.training.seeds import generator, seeded, seeds_from

__all__ = [
    "BagReader",
    "Ensemble",
    "Reader",
    "TrainingConfig",
    "TrainingLog",
    "accuracy",
    "at_scale",
    "fastest",
    "generator",
    "progress",
    "seeded",
    "seeds_from",
    "train",
    "train_on",
]
