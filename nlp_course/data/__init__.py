"""Texts, tokenizers, batches and synthetic tasks: no model in sight."""

from nlp_course.data.batches import Batch, length_mask, pad_batch
from nlp_course.data.cases import CaseTask
from nlp_course.data.coreference import CoreferenceTask
from nlp_course.data.corpora import Corpus, hold_out, load_corpus
from nlp_course.data.labelled import ReviewCorpus, load_reviews
from nlp_course.data.relations import GameTask
from nlp_course.data.reviews import ReviewTask
from nlp_course.data.streams import Lanes, split_text
from nlp_course.data.subwords import SubwordTokenizer
from nlp_course.data.tasks import (
    AgreementTask,
    Examples,
    OrderTask,
    PronounTask,
    RecallTask,
)
from nlp_course.data.text import read_text, topics
from nlp_course.data.tokenizers import CharTokenizer, WordTokenizer
from nlp_course.data.vocabulary import (
    Tokenizer,
    load_tokenizer,
    tokenizer_from_json,
)

__all__ = [
    "AgreementTask",
    "Batch",
    "CaseTask",
    "CharTokenizer",
    "CoreferenceTask",
    "Corpus",
    "Examples",
    "GameTask",
    "Lanes",
    "OrderTask",
    "PronounTask",
    "RecallTask",
    "ReviewCorpus",
    "ReviewTask",
    "SubwordTokenizer",
    "Tokenizer",
    "WordTokenizer",
    "hold_out",
    "length_mask",
    "load_corpus",
    "load_reviews",
    "load_tokenizer",
    "pad_batch",
    "read_text",
    "split_text",
    "tokenizer_from_json",
    "topics",
]
