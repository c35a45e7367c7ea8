"""Why gradients vanish or explode, and how to see it.

Chapter 02, ``02_vanishing_and_exploding_gradients``: the chain of sigmoid
neurons (``chain``), products of Jacobians over time (``jacobians``), a deep
network to try remedies on (``deep``) and a reader of training logs that
names the signs it sees (``diagnosis``).
"""

from nlp_course.gradients.chain import (
    chain_bound,
    chain_gradients,
    chain_inputs,
    sigmoid_slope,
)
from nlp_course.gradients.deep import DeepNet, gradient_by_layer
from nlp_course.gradients.diagnosis import (
    Diagnosis,
    LayerRecord,
    Sign,
    Thresholds,
    diagnose,
    log_of_network,
)
from nlp_course.gradients.jacobians import (
    growth_rate,
    jacobian_product_norms,
    state_jacobian,
)

__all__ = [
    "DeepNet",
    "Diagnosis",
    "LayerRecord",
    "Sign",
    "Thresholds",
    "chain_bound",
    "chain_gradients",
    "chain_inputs",
    "diagnose",
    "gradient_by_layer",
    "growth_rate",
    "jacobian_product_norms",
    "log_of_network",
    "sigmoid_slope",
    "state_jacobian",
]
