"""Why gradients vanish or explode, and how to see it.

Chapter 02, ``02_vanishing_and_exploding_gradients``: the chain of sigmoid
neurons (``chain``), products of Jacobians over time (``jacobians``) and a
deep network to try remedies on (``deep``).  The reader of training logs that
names the signs it sees is ``nlp_course.training.diagnosis``.
"""

from nlp_course.gradients.chain import (
    chain_bound,
    chain_gradients,
    chain_inputs,
    sigmoid_slope,
)
from nlp_course.gradients.deep import DeepNet, gradient_by_layer
from nlp_course.gradients.jacobians import (
    growth_rate,
    jacobian_product_norms,
    state_jacobian,
)

__all__ = [
    "DeepNet",
    "chain_bound",
    "chain_gradients",
    "chain_inputs",
    "gradient_by_layer",
    "growth_rate",
    "jacobian_product_norms",
    "sigmoid_slope",
    "state_jacobian",
]
