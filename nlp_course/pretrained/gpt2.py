"""GPT-2's checkpoints: options and names of the tensors.

Two things are peculiar.  The weights of its linear maps are kept as
``(in, out)``, the transpose of what ``torch.nn.Linear`` and we use.  And
those of queries, keys and values stand side by side in one tensor,
``attn.c_attn``.

Source: the checkpoints at https://huggingface.co/openai-community/gpt2 and
their relatives; Radford et al., *Language Models are Unsupervised Multitask
Learners*, 2019.
"""

from __future__ import annotations

import re
from typing import Any

from nlp_course.gpt import GPTConfig
from nlp_course.pretrained.layout import Layout, Place
from nlp_course.pretrained.options import Options

ACTIVATIONS = {
    "gelu_new": "gelu_tanh",
    "gelu_pytorch_tanh": "gelu_tanh",
    "gelu": "gelu",
    "relu": "relu",
}


def read_config(options: Options, dropout: float) -> GPTConfig:
    """Our sizes; ``ValueError`` for what our model does not compute."""
    options.only(
        scale_attn_weights=True,
        scale_attn_by_inverse_layer_idx=False,
        add_cross_attention=False,
        tie_word_embeddings=True,
        pruned_heads={},
    )
    width = options.size("n_embd", "hidden_size")
    return GPTConfig(
        vocabulary=options.size("vocab_size"),
        longest=options.size("n_positions", "max_position_embeddings"),
        width=width,
        heads=options.size("n_head", "num_attention_heads"),
        layers=options.size("n_layer", "num_hidden_layers"),
        hidden=options.hidden("n_inner", width),
        activation=options.choice(
            "activation_function", ACTIVATIONS, "gelu_new"
        ),
        dropout=dropout,
        eps=options.number("layer_norm_epsilon", 1e-5),
        std=options.number("initializer_range", 0.02),
    )


def write_config(config: GPTConfig) -> dict[str, Any]:
    """The options that Hugging Face's ``GPT2Config`` understands."""
    theirs = {ours: name for name, ours in reversed(ACTIVATIONS.items())}
    return {
        "vocab_size": config.vocabulary,
        "n_positions": config.longest,
        "n_embd": config.width,
        "n_head": config.heads,
        "n_layer": config.layers,
        "n_inner": config.hidden,
        "activation_function": theirs[config.activation],
        "layer_norm_epsilon": config.eps,
        "initializer_range": config.std,
        "resid_pdrop": config.dropout,
        "embd_pdrop": config.dropout,
        "attn_pdrop": 0.0,  # ours drops no weights of the attention
        # the ids of a particular vocabulary, which the model does not know
        "bos_token_id": None,
        "eos_token_id": None,
    }


def places(config: GPTConfig) -> list[Place]:
    """Where each of our weights stands."""
    found = [
        Place("embedding.E", "wte.weight"),
        Place("embedding.positions.P", "wpe.weight"),
        *_norm("stack.norm", "ln_f"),
    ]
    for k in range(config.layers):
        ours, theirs = f"stack.layers.{k}", f"h.{k}"
        found += [
            *_norm(f"{ours}.attention_path.norm", f"{theirs}.ln_1"),
            *_norm(f"{ours}.feed_forward_path.norm", f"{theirs}.ln_2"),
            *_attention(f"{ours}.attention", f"{theirs}.attn"),
            *_linear(f"{ours}.feed_forward", "1", f"{theirs}.mlp.c_fc"),
            *_linear(f"{ours}.feed_forward", "2", f"{theirs}.mlp.c_proj"),
        ]
    return found


def _norm(ours: str, theirs: str) -> list[Place]:
    return [
        Place(f"{ours}.gain", f"{theirs}.weight"),
        Place(f"{ours}.bias", f"{theirs}.bias"),
    ]


def _linear(ours: str, letter: str, theirs: str, *part: int) -> list[Place]:
    return [
        Place(f"{ours}.W_{letter}", f"{theirs}.weight", True, *part),
        Place(f"{ours}.b_{letter}", f"{theirs}.bias", False, *part),
    ]


def _attention(ours: str, theirs: str) -> list[Place]:
    found = _linear(ours, "O", f"{theirs}.c_proj")
    for part, letter in enumerate("QKV"):
        found += _linear(ours, letter, f"{theirs}.c_attn", part, 3)
    return found


GPT2 = Layout(
    model_type="gpt2",
    architecture="GPT2LMHeadModel",
    prefix="transformer.",
    bare=(),
    places=places,
    read_config=read_config,
    write_config=write_config,
    # old files keep the causal mask, which is no weight
    skipped=re.compile(r"h\.\d+\.attn\.(bias|masked_bias)"),
    same={"lm_head.weight": "wte.weight"},
)
