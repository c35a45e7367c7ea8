"""The transformer: layer norm, feed-forward, encoder, decoder (chapter 13)."""

from nlp_course.transformer.feed_forward import FeedForward
from nlp_course.transformer.layers import (
    DecoderLayer,
    DecoderLayerOutput,
    EncoderLayer,
    EncoderLayerOutput,
)
from nlp_course.transformer.model import (
    Transformer,
    TransformerOutput,
    TransformerState,
)
from nlp_course.transformer.norm import LayerNorm, normalise
from nlp_course.transformer.residual import Residual
from nlp_course.transformer.stacks import (
    Decoder,
    DecoderOutput,
    Embedding,
    Encoder,
    EncoderOutput,
)

__all__ = [
    "Decoder",
    "DecoderLayer",
    "DecoderLayerOutput",
    "DecoderOutput",
    "Embedding",
    "Encoder",
    "EncoderLayer",
    "EncoderLayerOutput",
    "EncoderOutput",
    "FeedForward",
    "LayerNorm",
    "Residual",
    "Transformer",
    "TransformerOutput",
    "TransformerState",
    "normalise",
]
