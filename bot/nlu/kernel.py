"""The mathematics of the intent classifier: ridge regression on a sum of likenesses (kernels). Pure numpy, no Rasa.

Two messages are alike by the words and letters they share (a product of counts) and by how near their embeddings are (a bell
curve, so that only close neighbours vouch for each other; a straight line through embeddings blurs intents that border on
each other). One factorisation gives the weights and, in closed form, what each training message would have been taken for
had it been left out: the honest ground for calibration and for a search for wrong labels.
"""

from __future__ import annotations

from typing import Dict, List, NamedTuple, Text

import numpy as np
from scipy.linalg.lapack import spotrf, spotrs, strtri
from scipy.optimize import minimize_scalar
from scipy.sparse import csr_matrix
from scipy.special import log_softmax

_SHARPEST = 20.0  # bounds of the temperature's inverse
_BLUNTEST = 0.5


class Singular(ValueError):
    """The likenesses cannot be factorised: the ridge is too small for the data."""


class Fitted(NamedTuple):
    weights: np.ndarray  # one row a training message, one column an intent
    left_out: np.ndarray  # scores of each training message by the model that did not see it


def nearness(left: np.ndarray, right: np.ndarray, width: float) -> np.ndarray:
    """How near rows of unit length are: 1 where they are the same, exp(-2 width) at a right angle."""
    return np.exp((2 * width) * (left @ right.T - 1))


def axes_of(rows: np.ndarray, number: int) -> np.ndarray:
    """The `number` directions along which the rows differ most, one in each column."""
    _, axes = np.linalg.eigh((rows.T @ rows).astype(np.float64))
    return np.ascontiguousarray(axes[:, ::-1][:, :number], dtype=np.float32)


def along(rows: np.ndarray, axes: np.ndarray) -> np.ndarray:
    """The rows as these axes see them, again of unit length."""
    seen = rows @ axes
    return seen / np.maximum(np.linalg.norm(seen, axis=1, keepdims=True), np.float32(1e-9))


def likeness(
    counts: csr_matrix, embeddings: Dict[Text, np.ndarray], shares: Dict[Text, float], width: float
) -> np.ndarray:
    """Of all training messages with each other."""
    alike = (counts @ counts.T).toarray().astype(np.float32)
    for kind, rows in embeddings.items():
        alike += np.float32(shares[kind]) * nearness(rows, rows, width)
    return alike


def fit(alike: np.ndarray, targets: np.ndarray, ridge: float) -> Fitted:
    """`targets` has 1 in the column of a row's intent and -1 elsewhere. Overwrites `alike`. Raises Singular."""
    diagonal = np.arange(len(alike))
    alike[diagonal, diagonal] += np.float32(ridge)
    factor, failed = spotrf(alike.T, lower=1, overwrite_a=1)
    if failed:
        raise Singular(f"likenesses cannot be factorised (ridge {ridge})")
    weights, _ = spotrs(factor, targets.astype(np.float32), lower=1)
    factor, _ = strtri(factor, lower=1, overwrite_c=1)
    # The diagonal of the inverse: its factors are this triangle, transposed and as it is.
    own = np.einsum("ij,ij->j", factor, factor)
    return Fitted(weights, targets - weights / own[:, None])


def targets_of(intents: np.ndarray, labels: List[Text]) -> np.ndarray:
    columns = np.searchsorted(np.array(labels), intents)
    targets = np.full((len(intents), len(labels)), -1.0)
    targets[np.arange(len(intents)), columns] = 1.0
    return targets


def sharpness_of(scores: np.ndarray, right: np.ndarray) -> float:
    """What scores are to be multiplied by before the softmax: the value that makes the `right` columns most likely."""

    def unlikeliness(sharpness: float) -> float:
        return float(-log_softmax(sharpness * scores, axis=1)[np.arange(len(right)), right].mean())

    return float(minimize_scalar(unlikeliness, bounds=(_BLUNTEST, _SHARPEST), method="bounded").x)
