"""Tucker-2: each group's weights as a smaller convolution between two 1x1 convolutions (Kim et al., ICLR 2016).

Weights come as (groups, oc / groups, ic / groups, kh, kw) in double precision; all groups get the same pair of ranks.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from harness.contract import Problem

Double = NDArray[np.float64]

SWEEPS = 10
_TIGHTER = 1 - 1e-6


class Tucker2(NamedTuple):
    """Factors: ``into`` (g, ic, r_in), ``core`` (g, r_out, r_in, kh, kw), ``out`` (g, oc, r_out), channels of one group."""

    into: Double
    core: Double
    out: Double

    def weight(self) -> Double:
        """The weights that the chain computes with, in the shape that they came in."""
        half = np.einsum("gir,gsrhw->gsihw", self.into, self.core, optimize=True)
        product: Double = np.einsum("gos,gsihw->goihw", self.out, half, optimize=True)
        return product


def factorise(weight: Double, rank_in: int, rank_out: int) -> Tucker2:
    """Best factors that higher-order orthogonal iteration finds from the singular vectors.

    Ranks that the other one makes pointless (more than r x kh x kw) are lowered: nothing is lost.
    """
    from tensorly.decomposition import partial_tucker

    taps = weight.shape[3] * weight.shape[4]
    rank_out = min(rank_out, rank_in * taps)
    rank_in = min(rank_in, rank_out * taps)
    into = np.zeros((len(weight), weight.shape[2], rank_in))
    out = np.zeros((len(weight), weight.shape[1], rank_out))
    core = np.zeros((len(weight), rank_out, rank_in, *weight.shape[3:]))
    for g, part in enumerate(weight):
        if part.any():
            (core[g], (out[g], into[g])), _ = partial_tucker(part, [rank_out, rank_in], modes=[0, 1], n_iter_max=SWEEPS)
            # Channels without weights stay without: basis vectors past the tensor's own rank are arbitrary.
            out[g][~part.any(axis=(1, 2, 3))] = 0
            into[g][~part.any(axis=(0, 2, 3))] = 0
    return Tucker2(into, core, out)


def smallest_ranks(weight: Double, problem: Problem, error: float) -> tuple[int, int]:
    """The cheapest (r_in, r_out) with which weights cut to their leading singular vectors are off by ``error`` at most.

    The error of every pair comes from one core: that of all singular vectors of the two unfoldings.
    """
    oc, ic, kh, kw = weight.shape[1:]
    energy = np.zeros((oc, ic))
    for part in weight:
        left, right = _singular_vectors(part.reshape(oc, -1)), _singular_vectors(part.transpose(1, 0, 2, 3).reshape(ic, -1))
        energy += (np.einsum("oihw,or,is->rshw", part, left, right, optimize=True) ** 2).sum(axis=(2, 3))
    kept = energy.cumsum(axis=0).cumsum(axis=1)
    lost = np.maximum(0, kept[-1, -1] - kept)
    r_out, r_in = np.arange(1, oc + 1)[:, None], np.arange(1, ic + 1)[None, :]
    p = problem
    macs = r_in * ic * p.ih * p.iw + r_out * (r_in * kh * kw + oc) * p.oh * p.ow
    fits = (lost <= (error * _TIGHTER) ** 2 * kept[-1, -1]) & (r_out <= r_in * kh * kw) & (r_in <= r_out * kh * kw)
    best = int(np.where(fits, macs, np.iinfo(np.int64).max).argmin())
    return best % ic + 1, best // ic + 1


def _singular_vectors(unfolding: Double) -> Double:
    """Left singular vectors, a complete basis, leading ones first."""
    vectors: Double = np.linalg.eigh(unfolding @ unfolding.T)[1][:, ::-1]
    return vectors
