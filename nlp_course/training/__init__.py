"""Seeds, the training loop, its log, and many networks side by side."""

from nlp_course.training.checkpoints import (
    CheckpointError,
    load_checkpoint,
    save_checkpoint,
)
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
from nlp_course.training.runs import Run, RunConfig, load_run
from nlp_course.training.seeds import generator, seeded, seeds_from
from nlp_course.training.text_evaluation import score_text
from nlp_course.training.text_training import resume_text, train_text
from nlp_course.training.writing import write

__all__ = [
    "AttentionReader",
    "BagReader",
    "CheckpointError",
    "Diagnosis",
    "Ensemble",
    "LayerRecord",
    "Reader",
    "Run",
    "RunConfig",
    "Sign",
    "Thresholds",
    "TrainingConfig",
    "TrainingLog",
    "accuracy",
    "at_scale",
    "diagnose",
    "fastest",
    "generator",
    "load_checkpoint",
    "load_run",
    "log_of_network",
    "progress",
    "resume_text",
    "save_checkpoint",
    "score_text",
    "seeded",
    "seeds_from",
    "train",
    "train_on",
    "train_text",
    "write",
]
