"""The parts of a run by their names: models, tokenizers, optimizers."""

from __future__ import annotations

from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING

import torch
from torch import nn

from nlp_course.bert import BERTConfig, BERTForPreTraining
from nlp_course.data.tokenizers import Tokenizer
from nlp_course.data.vocabulary import tokenizer_from_json
from nlp_course.gpt import GPT, GPTConfig
from nlp_course.language_model import LanguageModel
from nlp_course.training.optimizers import AnyOptimizer, muon_with_adamw
from nlp_course.training.seeds import seeded

if TYPE_CHECKING:
    from nlp_course.training.runs import RunConfig

RECURRENT: dict[str, type[nn.RNNBase]] = {
    "rnn": nn.RNN,
    "lstm": nn.LSTM,
    "gru": nn.GRU,
}
MODELS = (*RECURRENT, "gpt", "bert")
OPTIMIZERS = ("adamw", "muon")
# where the class stands, and the most tokens unless a run says otherwise;
# imported when needed, since subwords bring a package of their own
TOKENIZERS: dict[str, tuple[str, str, int | None]] = {
    "char": ("nlp_course.data.tokenizers", "CharTokenizer", None),
    "word": ("nlp_course.data.tokenizers", "WordTokenizer", 5_000),
    "bpe": ("nlp_course.data.subwords", "SubwordTokenizer", 1_000),
}


def build_model(config: RunConfig, vocabulary: int) -> nn.Module:
    """The model of a run, with the weights that its seed draws.

    A bert has one id more than the tokenizer: the last one is the mask.
    """
    with seeded(config.seed):
        if config.model in RECURRENT:
            return _recurrent(config, vocabulary)
        if config.model == "gpt":
            return _gpt(config, vocabulary)
        return _bert(config, vocabulary + 1)


def _recurrent(config: RunConfig, vocabulary: int) -> LanguageModel:
    """PyTorch's layers: the same functions as ours, and faster."""
    cell = partial(
        RECURRENT[config.model],
        num_layers=config.layers,
        # PyTorch drops between layers only, and warns if there are none
        dropout=config.dropout if config.layers > 1 else 0.0,
    )
    return LanguageModel(
        vocabulary, config.width, config.width, cell, config.dropout
    )


def _gpt(config: RunConfig, vocabulary: int) -> GPT:
    return GPT(
        GPTConfig(
            vocabulary,
            longest=config.context,
            width=config.width,
            heads=config.heads,
            layers=config.layers,
            dropout=config.dropout,
        )
    )


def _bert(config: RunConfig, vocabulary: int) -> BERTForPreTraining:
    model = BERTForPreTraining(
        BERTConfig(
            vocabulary,
            longest=config.context,
            width=config.width,
            heads=config.heads,
            layers=config.layers,
            dropout=config.dropout,
        )
    )
    # nothing is asked about pairs of segments, so these learn nothing
    for unused in (model.bert.pool, model.judge):
        unused.requires_grad_(False)
    return model


def build_optimizer(config: RunConfig, model: nn.Module) -> AnyOptimizer:
    """AdamW for all weights, or Muon for the matrices inside the layers.

    Raises ``ValueError`` for a model that Muon cannot train.
    """
    if config.method == "muon":
        return muon_with_adamw(
            model,
            muon_rate=config.rate,
            adamw_rate=config.rate / 5,
            weight_decay=config.weight_decay,
        )
    return torch.optim.AdamW(
        model.parameters(),
        lr=config.rate,
        weight_decay=config.weight_decay,
        fused=True,
    )


def default_optimizer(model: str) -> str:
    """Muon where there are layers of matrices, else AdamW."""
    return "adamw" if model in RECURRENT else "muon"


def default_rate(model: str, optimizer: str) -> float:
    """A learning rate that suits most sizes of a small model."""
    if optimizer == "muon":
        return 1e-2
    return {"rnn": 3e-3, "gpt": 4e-3, "bert": 2e-3}.get(model, 1e-2)


def train_tokenizer(kind: str, text: str, vocabulary: int | None) -> Tokenizer:
    """A tokenizer of a kind, with the vocabulary of a text.

    ``vocabulary`` is the largest number of tokens, None for what suits the
    kind.
    """
    home, name, most = TOKENIZERS[kind]
    made: Tokenizer = getattr(import_module(home), name).train(
        text, max_size=vocabulary or most
    )
    return made


def written_tokenizer(tokenizer: Tokenizer) -> str:
    """A tokenizer as text, from which ``read_tokenizer`` makes it anew."""
    return tokenizer.to_json()


def read_tokenizer(written: str) -> Tokenizer:
    """The tokenizer that was written.

    Raises ``ValueError`` for an unknown kind.
    """
    return tokenizer_from_json(written)
