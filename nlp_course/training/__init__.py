"""Seeds, the training loop, its log, and many networks side by side."""

from nlp_course.training.diagnosis import (
    Diagnosis,
    LayerRecord,
    Sign,
    Thresholds,
    diagnose,
    log_of_network,
)
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
from nlp_course.training.readers import AttentionReader, BagReader, Reader
from nlp_course.training.seeds import generator, seeded, seeds_from

__all__ = [
    "AttentionReader",
    "BagReader",
    "Diagnosis",
    "Ensemble",
    "LayerRecord",
    "Reader",
    "Sign",
    "Thresholds",
    "TrainingConfig",
    "TrainingLog",
    "accuracy",
    "at_scale",
    "diagnose",
    "fastest",
    "generator",
    "log_of_network",
    "progress",
    "seeded",
    "seeds_from",
    "train",
    "train_on",
]
