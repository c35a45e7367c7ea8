"""BERT's checkpoints: options and names of the tensors.

Old files name gain and bias of a layer norm ``gamma`` and ``beta``, newer
ones ``weight`` and ``bias``; both are read.

Source: the checkpoints at https://huggingface.co/google-bert and their
relatives; Devlin et al., *BERT: Pre-training of Deep Bidirectional
Transformers for Language Understanding*, NAACL 2019.
"""

from __future__ import annotations

import re
from typing import Any

from nlp_course.bert import BERTConfig
from nlp_course.pretrained.layout import Layout, Place
from nlp_course.pretrained.options import Options

ACTIVATIONS = {
    "gelu": "gelu",
    "gelu_new": "gelu_tanh",
    "gelu_pytorch_tanh": "gelu_tanh",
    "relu": "relu",
}


def read_config(options: Options, dropout: float) -> BERTConfig:
    """Our sizes; ``ValueError`` for what our model does not compute."""
    options.only(
        position_embedding_type="absolute",
        is_decoder=False,
        add_cross_attention=False,
        pruned_heads={},
    )
    width = options.size("hidden_size")
    return BERTConfig(
        vocabulary=options.size("vocab_size"),
        longest=options.size("max_position_embeddings"),
        segments=options.size("type_vocab_size", default=2),
        width=width,
        heads=options.size("num_attention_heads"),
        layers=options.size("num_hidden_layers"),
        hidden=options.hidden("intermediate_size", width),
        activation=options.choice("hidden_act", ACTIVATIONS, "gelu"),
        dropout=dropout,
        eps=options.number("layer_norm_eps", 1e-12),
        std=options.number("initializer_range", 0.02),
    )


def read_tied_config(options: Options, dropout: float) -> BERTConfig:
    """The same for a model that writes words with its embedding."""
    options.only(tie_word_embeddings=True)
    return read_config(options, dropout)


def write_config(config: BERTConfig) -> dict[str, Any]:
    """The options that Hugging Face's ``BertConfig`` understands."""
    theirs = {ours: name for name, ours in reversed(ACTIVATIONS.items())}
    hidden = 4 * config.width if config.hidden is None else config.hidden
    return {
        "vocab_size": config.vocabulary,
        "max_position_embeddings": config.longest,
        "type_vocab_size": config.segments,
        "hidden_size": config.width,
        "num_attention_heads": config.heads,
        "num_hidden_layers": config.layers,
        "intermediate_size": hidden,
        "hidden_act": theirs[config.activation],
        "layer_norm_eps": config.eps,
        "initializer_range": config.std,
        "hidden_dropout_prob": config.dropout,
        # ours drops no weights of the attention
        "attention_probs_dropout_prob": 0.0,
        # the id of a particular vocabulary, which the model does not know
        "pad_token_id": None,
    }


def body_places(config: BERTConfig, body: str = "") -> list[Place]:
    """Where each weight of the body stands; ``body`` leads to it."""
    found = [
        Place(f"{body}embedding.E", "embeddings.word_embeddings.weight"),
        Place(
            f"{body}embedding.positions.P",
            "embeddings.position_embeddings.weight",
        ),
        Place(f"{body}G", "embeddings.token_type_embeddings.weight"),
        *_norm(f"{body}norm", "embeddings.LayerNorm"),
        *_linear(f"{body}pool", "pooler.dense"),
    ]
    for k in range(config.layers):
        found += _layer(f"{body}stack.layers.{k}", f"encoder.layer.{k}")
    return found


def places(config: BERTConfig) -> list[Place]:
    """Where each weight of body and heads stands."""
    words = "cls.predictions"
    return [
        *body_places(config, "bert."),
        *_linear("transform", f"{words}.transform.dense"),
        *_norm("norm", f"{words}.transform.LayerNorm"),
        Place("b_words", f"{words}.bias"),
        *_linear("judge", "cls.seq_relationship"),
    ]


def _layer(ours: str, theirs: str) -> list[Place]:
    attention, feed_forward = f"{ours}.attention", f"{ours}.feed_forward"
    norm = "output.LayerNorm"
    return [
        *_norm(f"{attention}_path.norm", f"{theirs}.attention.{norm}"),
        *_norm(f"{feed_forward}_path.norm", f"{theirs}.{norm}"),
        *_map(attention, "Q", f"{theirs}.attention.self.query"),
        *_map(attention, "K", f"{theirs}.attention.self.key"),
        *_map(attention, "V", f"{theirs}.attention.self.value"),
        *_map(attention, "O", f"{theirs}.attention.output.dense"),
        *_map(feed_forward, "1", f"{theirs}.intermediate.dense"),
        *_map(feed_forward, "2", f"{theirs}.output.dense"),
    ]


def _map(ours: str, letter: str, theirs: str) -> list[Place]:
    return [
        Place(f"{ours}.W_{letter}", f"{theirs}.weight"),
        Place(f"{ours}.b_{letter}", f"{theirs}.bias"),
    ]


def _norm(ours: str, theirs: str) -> list[Place]:
    return [
        Place(f"{ours}.gain", f"{theirs}.weight"),
        Place(f"{ours}.bias", f"{theirs}.bias"),
    ]


def _linear(ours: str, theirs: str) -> list[Place]:
    return [
        Place(f"{ours}.weight", f"{theirs}.weight"),
        Place(f"{ours}.bias", f"{theirs}.bias"),
    ]


_POSITIONS = r"embeddings\.position_ids"  # the numbers 0, 1, 2, ...
_NAMES = {"LayerNorm.gamma": "LayerNorm.weight"}
_NAMES["LayerNorm.beta"] = "LayerNorm.bias"

BODY = Layout(
    model_type="bert",
    architecture="BertModel",
    prefix="bert.",
    bare=("",),  # all of them
    places=body_places,
    read_config=read_config,
    write_config=write_config,
    skipped=re.compile(rf"{_POSITIONS}|(cls|classifier|qa_outputs)\..*"),
    renamed=_NAMES,
)
PRE_TRAINING = Layout(
    model_type="bert",
    architecture="BertForPreTraining",
    prefix="bert.",
    bare=("cls.",),
    places=places,
    read_config=read_tied_config,
    write_config=write_config,
    skipped=re.compile(_POSITIONS),
    renamed=_NAMES,
    same={
        "cls.predictions.decoder.weight": "embeddings.word_embeddings.weight",
        "cls.predictions.decoder.bias": "cls.predictions.bias",
    },
)
