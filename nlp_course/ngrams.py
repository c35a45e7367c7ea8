"""Counting: interpolated n-gram models (chapter 07).

The probability of a token after a context of :math:`k - 1` tokens mixes what
was counted after this context with the model of one order less:

.. math::

   p_k(w \\mid c) = \\frac{n(c\\,w) + d(c) \\, p_{k-1}(w \\mid c')}
                        {n(c) + d(c)}, \\qquad p_0(w) = \\frac{1}{V}

:math:`n(c\\,w)` is how often ``w`` followed the context ``c``, :math:`n(c)`
how often anything did, :math:`d(c)` how many *different* tokens did, and
:math:`c'` is ``c`` without its first token.  The tokens are ids: characters,
words or pieces of words.

Source: Witten and Bell, *The Zero-Frequency Problem: Estimating the
Probabilities of Novel Events in Adaptive Text Compression*, IEEE
Transactions on Information Theory 37 (1991), method C; interpolated as in
Chen and Goodman, *An Empirical Study of Smoothing Techniques for Language
Modeling*, Computer Speech and Language 13 (1999).
"""

from __future__ import annotations

import math
from typing import NamedTuple, Self

import torch
from jaxtyping import Float, Int
from torch import Generator, Tensor

from nlp_course.checks import check_ids, check_positive, check_tensor, shape_of


class _Counts(NamedTuple):
    """All n-grams of one length, sorted, and their contexts.

    An n-gram is known by the number ``key = context * V + token``, where
    ``context`` is the place of its context in the table one shorter.
    """

    keys: Int[Tensor, " grams"]
    followed_by: Float[Tensor, " grams"]  # n(c w)
    followed: Float[Tensor, " contexts"]  # n(c)
    different: Float[Tensor, " contexts"]  # d(c)


class NGrams:
    """Interpolated n-gram models of every order up to ``order``.

    ``fit`` counts; ``log_probabilities``, ``bits_per_token``,
    ``probabilities`` and ``sample`` use the counts, of the highest order
    unless another is named.  Probabilities are computed in float64.

    Raises ``ValueError`` if a size is not a positive integer.
    """

    def __init__(self, order: int, vocabulary: int) -> None:
        check_positive(order=order, vocabulary=vocabulary)
        self.order, self.vocabulary = order, vocabulary
        self._tables: list[_Counts] = []

    def fit(self, ids: Int[Tensor, " time"]) -> Self:
        """Count all n-grams of a text; earlier counts are dropped.

        Raises ``ValueError`` for a text shorter than the order or an id
        outside the vocabulary, ``TypeError`` for anything but ids.
        """
        self._check(ids)
        if len(ids) < self.order:
            raise ValueError(
                f"a text of {len(ids)} tokens is too short for n-grams of "
                f"{self.order}"
            )
        self._tables = []
        # place of the context of every token; order 1 has one, the empty
        context = torch.zeros(len(ids), dtype=torch.int64)
        contexts, tokens = 1, ids.to(torch.int64)
        for _ in range(self.order):
            keys, place, count = torch.unique(
                context * self.vocabulary + tokens,
                return_inverse=True,
                return_counts=True,
            )
            self._tables.append(_table(keys, count, contexts, self.vocabulary))
            # what ended one token ago is the context of this token
            context, contexts, tokens = place[:-1], len(keys), tokens[1:]
        return self

    def log_probabilities(
        self, ids: Int[Tensor, " time"], order: int | None = None
    ) -> Float[Tensor, " time"]:
        """:math:`\\log p(w_t \\mid w_{<t})` of every token, in nats.

        The first tokens have shorter contexts: nothing before the text is
        known.  Computed by :eq:`eq-ngram-witten-bell`.

        Raises ``ValueError`` for an order that was not counted or an id
        outside the vocabulary, ``RuntimeError`` before ``fit``.
        """
        order = self._checked_order(order)
        self._check(ids)
        tokens = ids.to(torch.int64)
        p = torch.full((len(ids),), 1 / self.vocabulary, dtype=torch.float64)
        # place of the context before every token, -1: never seen
        context = torch.zeros_like(tokens)
        for k, table in enumerate(self._tables[:order]):
            place = _find(table.keys, context, tokens[k:], self.vocabulary)
            p[k:] = _mix(table, context, place, p[k:])
            context = place[:-1]
        return p.log()

    def bits_per_token(
        self, ids: Int[Tensor, " time"], order: int | None = None
    ) -> float:
        """Mean of :math:`-\\log_2 p` over a text, :eq:`eq-ngram-bits`."""
        nats = -self.log_probabilities(ids, order).mean().item()
        return nats / math.log(2)

    def probabilities(
        self, context: Int[Tensor, " length"], order: int | None = None
    ) -> Float[Tensor, " V"]:
        """Probability of every token after a context, ``(V,)``.

        Only the last ``order - 1`` tokens of the context count; it may be
        shorter, or empty.  Errors are those of ``log_probabilities``.
        """
        order = self._checked_order(order)
        if len(context):
            self._check(context)
        used = context[max(len(context) - order + 1, 0) :].tolist()
        V = self.vocabulary
        p = torch.full((V,), 1 / V, dtype=torch.float64)
        tokens = torch.arange(V)
        for k in range(len(used) + 1):
            place = self._place(used[len(used) - k :])
            at = torch.full((V,), place)
            found = _find(self._tables[k].keys, at, tokens, V)
            p = _mix(self._tables[k], at, found, p)
        return p

    def sample(
        self,
        length: int,
        rng: Generator,
        start: Int[Tensor, " length"] | None = None,
        order: int | None = None,
    ) -> Int[Tensor, " time"]:
        """``length`` tokens drawn one after another, after ``start``."""
        check_positive(length=length)
        text = torch.empty(0, dtype=torch.int64) if start is None else start
        drawn = []
        for _ in range(length):
            p = self.probabilities(text, order)
            drawn.append(torch.multinomial(p, 1, generator=rng))
            text = torch.cat([text[-self.order :], drawn[-1]])
        return torch.cat(drawn)

    def parameters_of(self, order: int | None = None) -> int:
        """How many different n-grams were counted, of all lengths."""
        order = self._checked_order(order)
        return sum(len(table.keys) for table in self._tables[:order])

    def _place(self, context: list[int]) -> int:
        """The place of a context in the table that it is the context of."""
        place = torch.zeros(1, dtype=torch.int64)
        for table, token in zip(self._tables, context, strict=False):
            tokens = torch.tensor([token])
            place = _find(table.keys, place, tokens, self.vocabulary)
        return int(place)

    def _checked_order(self, order: int | None) -> int:
        if not self._tables:
            raise RuntimeError("nothing was counted yet: call fit first")
        if order is None:
            return self.order
        check_positive(order=order)
        if order > self.order:
            raise ValueError(
                f"order {order} was not counted; orders 1 to {self.order} were"
            )
        return order

    def _check(self, ids: Tensor) -> None:
        check_tensor("ids", ids)
        if ids.dim() != 1 or len(ids) == 0:
            raise ValueError(
                "ids must be one text of at least one token, shape (time,), "
                f"not {shape_of(ids)}"
            )
        check_ids("ids", ids, self.vocabulary)


def _table(
    keys: Tensor, count: Tensor, contexts: int, vocabulary: int
) -> _Counts:
    """What :eq:`eq-ngram-witten-bell` needs about one length."""
    of = keys // vocabulary  # the context of every n-gram
    counted = count.double()
    zero = torch.zeros(contexts, dtype=torch.float64)
    return _Counts(
        keys,
        counted,
        zero.index_add(0, of, counted),
        zero.index_add(0, of, torch.ones_like(counted)),
    )


def _find(
    keys: Tensor, context: Tensor, tokens: Tensor, vocabulary: int
) -> Tensor:
    """Places of n-grams in the sorted table, -1 where there is none."""
    wanted = context * vocabulary + tokens
    place = torch.searchsorted(keys, wanted).clamp(max=len(keys) - 1)
    # a context that is -1 makes a negative key, which is never found
    return torch.where(keys[place] == wanted, place, -1)


def _mix(
    table: _Counts, context: Tensor, place: Tensor, shorter: Tensor
) -> Tensor:
    """One order more, :eq:`eq-ngram-witten-bell`.

    A context that nothing ever followed leaves the shorter one alone.
    """
    n_cw = torch.where(place >= 0, table.followed_by[place], 0.0)
    n_c = torch.where(context >= 0, table.followed[context], 0.0)
    d_c = torch.where(context >= 0, table.different[context], 0.0)
    # p_k = (n(c w) + d(c) p_{k-1}) / (n(c) + d(c))
    mixed = (n_cw + d_c * shorter) / (n_c + d_c)
    return torch.where(n_c > 0, mixed, shorter)
