"""A checkpoint holds exactly the weights of our model, or is refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from nlp_course.bert import BERT, BERTForPreTraining
from nlp_course.gpt import GPT
from tests.pretrained.cases import (
    BERT_SIZES,
    GPT_SIZES,
    Tensors,
    assert_same_weights,
    change_options,
    change_tensors,
    refused,
    rename,
    save_bert,
    save_gpt,
)

Kind = type[GPT] | type[BERTForPreTraining]
Change = Callable[[Tensors], Any]
BIAS = "transformer.h.1.mlp.c_fc.bias"


def broken(folder: Path, change: Change, kind: Kind = GPT) -> str:
    """What is said of a checkpoint with this change."""
    (save_gpt if kind is GPT else save_bert)(folder)
    change_tensors(folder, change)
    return refused(kind, folder)


def test_the_same_model_comes_back(tmp_path: Path) -> None:
    gpt, bert = save_gpt(tmp_path / "gpt"), save_bert(tmp_path / "bert")
    found = GPT.from_pretrained(tmp_path / "gpt")
    assert_same_weights(found, gpt)
    assert found.config == GPT_SIZES
    whole = BERTForPreTraining.from_pretrained(str(tmp_path / "bert"))
    assert_same_weights(whole, bert)
    assert whole.config == whole.bert.config == BERT_SIZES
    body = BERT.from_pretrained(tmp_path / "bert")
    assert_same_weights(body, bert.bert)
    for weight in (*found.parameters(), *body.parameters()):
        assert weight.requires_grad
        assert weight.is_leaf
        assert weight.is_contiguous()


def test_the_model_does_not_depend_on_the_file(tmp_path: Path) -> None:
    """Weights are copies: neither side sees what becomes of the other."""
    save_gpt(tmp_path)
    file = tmp_path / "model.safetensors"
    kept = file.read_bytes()
    ours, same = (GPT.from_pretrained(tmp_path) for _ in range(2))
    with file.open("r+b") as target:
        target.write(bytes(len(kept)))
    assert_same_weights(ours, same)
    file.write_bytes(kept)
    with torch.no_grad():
        for weight in ours.parameters():
            weight.zero_()
    assert file.read_bytes() == kept


def test_loading_draws_nothing(tmp_path: Path) -> None:
    save_gpt(tmp_path)
    before = torch.get_rng_state()
    GPT.from_pretrained(tmp_path)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize(
    "dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64]
)
@pytest.mark.parametrize(
    "kept", [torch.float16, torch.bfloat16, torch.float32, torch.float64]
)
def test_dtypes_are_converted(
    dtype: torch.dtype, kept: torch.dtype, tmp_path: Path
) -> None:
    model = save_gpt(tmp_path).to(kept).to(dtype)

    def convert(tensors: Tensors) -> None:
        tensors.update({name: it.to(kept) for name, it in tensors.items()})

    change_tensors(tmp_path, convert)
    found = GPT.from_pretrained(tmp_path, dtype=dtype)
    assert {weight.dtype for weight in found.parameters()} == {dtype}
    assert_same_weights(found, model)


def test_a_dtype_for_weights(tmp_path: Path) -> None:
    save_gpt(tmp_path)
    for dtype in (torch.int64, torch.float8_e5m2, torch.complex64):
        with pytest.raises(ValueError, match=f"not {dtype}"):
            GPT.from_pretrained(tmp_path, dtype=dtype)
    assert GPT.from_pretrained(tmp_path).embedding.E.dtype == torch.float32


def test_dropout_is_what_was_asked_for(tmp_path: Path) -> None:
    save_gpt(tmp_path / "gpt")
    save_bert(tmp_path / "bert")
    change_options(tmp_path / "gpt", resid_pdrop=0.5, embd_pdrop=0.5)
    change_options(tmp_path / "bert", hidden_dropout_prob=0.5)
    ids = torch.arange(8).view(2, 4)
    for kind, folder in ((GPT, "gpt"), (BERT, "bert")):
        where = tmp_path / folder
        without = kind.from_pretrained(where).train()
        first, second = (_states(without, ids) for _ in range(2))
        assert torch.equal(first, second)
        given = kind.from_pretrained(where, dropout=0.5).train()
        assert not torch.equal(_states(given, ids), first)
        assert torch.equal(_states(given.eval(), ids), first)
        with pytest.raises(ValueError, match="dropout must be"):
            kind.from_pretrained(where, dropout=1.0)


def _states(model: Any, ids: Tensor) -> Tensor:
    found: Any = model(ids)
    states: Tensor = found if isinstance(found, Tensor) else found.states
    return states


def test_a_weight_is_missing(tmp_path: Path) -> None:
    said = broken(tmp_path, lambda it: it.pop(BIAS))
    assert "lacks h.1.mlp.c_fc.bias, which GPT2LMHeadModel needs" in said


def test_many_weights_are_missing(tmp_path: Path) -> None:
    """They are not all listed."""
    save_gpt(tmp_path)
    change_options(tmp_path, n_layer=4)
    said = refused(GPT, tmp_path)
    assert "h.2.ln_1.weight" in said
    assert "and 20 more" in said
    assert len(said) < 400


def test_there_is_one_more(tmp_path: Path) -> None:
    said = broken(tmp_path, lambda it: it.update(score=torch.ones(2)))
    assert "holds score, which GPT2LMHeadModel does not have" in said


def test_a_layer_that_the_options_do_not_name(tmp_path: Path) -> None:
    save_gpt(tmp_path)
    change_options(tmp_path, n_layer=1)
    said = refused(GPT, tmp_path)
    assert "holds transformer.h.1." in said
    assert "and 8 more" in said


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("transformer.wte.weight", (12, 6)),
        ("transformer.wpe.weight", (6, 9)),
        (BIAS, (9,)),
        ("transformer.h.0.attn.c_attn.weight", (18, 6)),  # not transposed
        ("transformer.h.0.attn.c_attn.bias", (6,)),
        ("transformer.h.0.mlp.c_proj.weight", (6, 10)),
        ("transformer.ln_f.weight", (6, 1)),
        ("transformer.ln_f.bias", ()),
    ],
)
def test_a_shape_that_does_not_fit(
    name: str, shape: tuple[int, ...], tmp_path: Path
) -> None:
    said = broken(tmp_path, lambda it: it.update({name: torch.ones(shape)}))
    assert f"model.safetensors: {name} has shape {shape}" in said
    assert "by config.json it must be (" in said


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("place", [(0, 0), (5, 17)])
def test_a_number_that_is_none(
    value: float, place: tuple[int, int], tmp_path: Path
) -> None:
    name = "transformer.h.0.attn.c_attn.weight"

    def spoil(tensors: Tensors) -> None:
        tensors[name][place] = value

    said = broken(tmp_path, spoil)
    assert f"model.safetensors: {name} holds NaN or infinity" in said


def test_a_number_too_large_for_the_dtype(tmp_path: Path) -> None:
    save_gpt(tmp_path)

    def enlarge(tensors: Tensors) -> None:
        tensors[BIAS][3] = 1e5

    change_tensors(tmp_path, enlarge)
    assert GPT.from_pretrained(tmp_path, dtype=torch.bfloat16)
    said = refused(GPT, tmp_path, dtype=torch.float16)
    assert f"{BIAS} holds numbers beyond the range of torch.float16" in said


def test_whole_numbers_are_no_weights(tmp_path: Path) -> None:
    said = broken(tmp_path, lambda it: it.update({BIAS: torch.ones(10).int()}))
    assert f"{BIAS} has the dtype I32" in said


def test_a_readout_of_its_own(tmp_path: Path) -> None:
    def untie(tensors: Tensors) -> None:
        other = tensors["transformer.wte.weight"].clone()
        other[3, 2] += 1e-6
        tensors["lm_head.weight"] = other

    said = broken(tmp_path, untie)
    assert "lm_head.weight differs from transformer.wte.weight" in said


@pytest.mark.parametrize("part", ["weight", "bias"])
def test_a_readout_of_masked_words_of_its_own(
    part: str, tmp_path: Path
) -> None:
    like = {
        "weight": "bert.embeddings.word_embeddings.weight",
        "bias": "cls.predictions.bias",
    }[part]
    copy = f"cls.predictions.decoder.{part}"
    said = broken(
        tmp_path,
        lambda it: it.update({copy: it[like] + 1}),
        BERTForPreTraining,
    )
    assert f"{copy} differs from {like}" in said
    assert BERT.from_pretrained(tmp_path), "the body does not need it"


def test_one_weight_under_two_names(tmp_path: Path) -> None:
    long, short = "transformer.ln_f.weight", "ln_f.weight"
    said = broken(
        tmp_path / "gpt", lambda it: it.update({short: 1 * it[long]})
    )
    assert f"{long} and {short} are the same weight" in said or (
        f"{short} and {long} are the same weight" in said
    )
    old = "bert.embeddings.LayerNorm.gamma"
    said = broken(
        tmp_path / "bert",
        lambda it: it.update({old: torch.ones(6)}),
        BERTForPreTraining,
    )
    assert "are the same weight" in said


def test_a_body_has_no_heads(tmp_path: Path) -> None:
    save_bert(tmp_path).bert.save_pretrained(tmp_path)
    said = refused(BERTForPreTraining, tmp_path)
    assert "lacks cls.predictions.transform.dense.weight" in said
    assert "and 3 more, which BertForPreTraining needs" in said


def test_a_head_is_no_reason_to_read_a_stranger(tmp_path: Path) -> None:
    """Only heads that are known are left out."""
    save_bert(tmp_path)
    rename(tmp_path, "cls.seq_relationship", "cls2.seq_relationship")
    with pytest.raises(ValueError, match="holds cls2"):
        BERT.from_pretrained(tmp_path)


@pytest.mark.parametrize("found", ["llama", "gpt_neo", "roberta", "bert", 3])
def test_another_architecture(found: Any, tmp_path: Path) -> None:
    save_gpt(tmp_path)
    change_options(tmp_path, model_type=found)
    said = refused(GPT, tmp_path)
    assert f"model_type is {found!r}" in said
    assert "reads 'gpt2'" in said
    change_options(tmp_path, model_type=...)
    assert "model_type is None" in refused(GPT, tmp_path)
    with pytest.raises(ValueError, match="this class reads 'bert'"):
        BERT.from_pretrained(tmp_path)


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("scale_attn_weights", False),
        ("scale_attn_by_inverse_layer_idx", True),
        ("add_cross_attention", True),
        ("tie_word_embeddings", False),
        ("pruned_heads", {"0": [1]}),
        ("activation_function", "silu"),
        ("activation_function", ["gelu"]),
        ("n_embd", "6"),
        ("n_embd", ...),
        ("n_head", 0),
        ("n_head", 4),  # which cannot share 6 features
        ("n_head", ...),
        ("n_layer", 2.0),
        ("n_layer", 10**6),
        ("n_layer", ...),
        ("n_positions", True),
        ("vocab_size", 10**12),
        ("n_inner", -1),
        ("layer_norm_epsilon", 0),
        ("layer_norm_epsilon", "1e-5"),
        ("initializer_range", float("nan")),
    ],
)
def test_an_option_that_is_refused(
    option: str, value: Any, tmp_path: Path
) -> None:
    save_gpt(tmp_path)
    change_options(tmp_path, **{option: value})
    said = refused(GPT, tmp_path)
    named = {"n_head": "head", "n_layer": "layer"}.get(option, option)
    assert "config.json" in said
    assert named in said


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("position_embedding_type", "relative_key"),
        ("is_decoder", True),
        ("add_cross_attention", True),
        ("pruned_heads", {"0": [1]}),
        ("hidden_act", "swish"),
        ("tie_word_embeddings", False),
        ("hidden_size", ...),
        ("num_attention_heads", None),
        ("type_vocab_size", 0),
        ("layer_norm_eps", -1e-12),
    ],
)
def test_an_option_of_bert_that_is_refused(
    option: str, value: Any, tmp_path: Path
) -> None:
    save_bert(tmp_path)
    change_options(tmp_path, **{option: value})
    assert option in refused(BERTForPreTraining, tmp_path)
    if option == "tie_word_embeddings":
        assert BERT.from_pretrained(tmp_path), "the body writes no words"


def test_options_that_change_nothing(tmp_path: Path) -> None:
    ours = save_gpt(tmp_path)
    change_options(
        tmp_path,
        reorder_and_upcast_attn=True,
        use_cache=False,
        scale_attn_weights=True,
        pruned_heads={},
        n_ctx=9,
        task_specific_params={"text-generation": {"max_length": 50}},
        layer_norm_epsilon=0.1,
    )
    assert_same_weights(GPT.from_pretrained(tmp_path), ours)
    assert GPT.from_pretrained(tmp_path).config == GPT_SIZES


def test_options_that_are_absent(tmp_path: Path) -> None:
    """What the shapes do not tell has the value that it has over there."""
    save_gpt(tmp_path)
    absent = ("activation_function", "layer_norm_epsilon", "initializer_range")
    change_options(tmp_path, **dict.fromkeys(absent, ...))
    config = GPT.from_pretrained(tmp_path).config
    assert config.activation == "gelu_tanh"
    assert (config.eps, config.std) == (1e-5, 0.02)
    names = {"n_embd": "hidden_size", "n_head": "num_attention_heads"}
    for old, new in names.items():
        value = getattr(config, {"n_embd": "width", "n_head": "heads"}[old])
        change_options(tmp_path, **{old: ..., new: value})
    assert GPT.from_pretrained(tmp_path).config == config


def test_no_options(tmp_path: Path) -> None:
    save_gpt(tmp_path)
    file = tmp_path / "config.json"
    for text, said in (
        ("", "is no JSON"),
        ("{", "is no JSON"),
        ("[1]", "holds no JSON object"),
        ("[" * 5000, "is no JSON"),
    ):
        file.write_text(text)
        assert said in refused(GPT, tmp_path)
    file.write_bytes(b'{"model_type": "\xff"}')
    assert "is no JSON" in refused(GPT, tmp_path)
    file.unlink()
    assert "config.json is missing" in refused(GPT, tmp_path)


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, bytes]:
    """The folder of a model, and what its ``config.json`` says."""
    folder = tmp_path_factory.mktemp("options")
    save_gpt(folder)
    return folder, (folder / "config.json").read_bytes()


@given(st.data())
@settings(max_examples=300, deadline=None)
def test_options_with_a_wrong_byte(
    saved: tuple[Path, bytes], data: st.DataObject
) -> None:
    """A clean error, or a model whose weights fit what is said now."""
    folder, whole = saved
    changed = bytearray(whole)
    changed[data.draw(st.integers(0, len(whole) - 1))] = data.draw(
        st.integers(0, 255) | st.sampled_from(b'0123456789",:[]{}. ')
    )
    (folder / "config.json").write_bytes(changed)
    try:
        found = GPT.from_pretrained(folder)
    except ValueError as error:
        assert str(folder) in str(error)
    else:
        assert found.config.vocabulary == len(found.embedding.E) == 13
