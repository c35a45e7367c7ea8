"""Texts, tokenizers, batches and synthetic tasks: no model in sight."""

from nlp_course.data.batches import Batch, length_mask, pad_batch
from nlp_course.data.cases import CaseTask
from nlp_course.data.coreference import CoreferenceTask
from nlp_course.data.relations import GameTask
from nlp_course.data.reviews import ReviewTask
from nlp_course.data.streams import Lanes, split_text
from nlp_course.data.tasks import (
    AgreementTask,
    Examples,
    OrderTask,
    PronounTask,
    RecallTask,
)
from nlp_course.data.text import read_text, topics
from nlp_course.data.tokenizers import (
    CharTokenizer,
    Tokenizer,
    WordTokenizer,
)

__all__ = [
    "AgreementTask",
    "Batch",
    "CaseTask",
    "CharTokenizer",
    "CoreferenceTask",
    "Examples",
    "GameTask",
    "Lanes",
    "OrderTask",
    "PronounTask",
    "RecallTask",
    "ReviewTask",
    "Tokenizer",
    "WordTokenizer",
    "length_mask",
    "pad_batch",
    "read_text",
    "split_text",
    "topics",
]
