"""Attention: scores, weights, context; heads, masks, positions."""

from nlp_course.attention.cache import KeyValueCache
from nlp_course.attention.core import (
    Attended,
    attend,
    masked_softmax,
    weighted_sum,
)
from nlp_course.attention.masks import (
    as_attn_mask,
    as_key_padding_mask,
    band_mask,
    causal_mask,
    combine,
    padding_mask,
)
from nlp_course.attention.multihead import (
    MultiHeadAttention,
    join_heads,
    split_heads,
)
from nlp_course.attention.positions import (
    LearnedPositions,
    SinusoidalPositions,
    shift_matrix,
    sinusoidal_positions,
)
from nlp_course.attention.relative import RelativeAttention, relative_shift
from nlp_course.attention.scaled import (
    SelfAttention,
    scaled_dot_product_attention,
)
from nlp_course.attention.scores import (
    AdditiveScores,
    BilinearScores,
    dot_scores,
)

__all__ = [
    "AdditiveScores",
    "Attended",
    "BilinearScores",
    "KeyValueCache",
    "LearnedPositions",
    "MultiHeadAttention",
    "RelativeAttention",
    "SelfAttention",
    "SinusoidalPositions",
    "as_attn_mask",
    "as_key_padding_mask",
    "attend",
    "band_mask",
    "causal_mask",
    "combine",
    "dot_scores",
    "join_heads",
    "masked_softmax",
    "padding_mask",
    "relative_shift",
    "scaled_dot_product_attention",
    "shift_matrix",
    "sinusoidal_positions",
    "split_heads",
    "weighted_sum",
]
