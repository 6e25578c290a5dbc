"""The paper's model: a roofline with two overheads, for one image.

Park et al., "Faster CNNs with Direct Sparse Convolutions and Guided Pruning", ICLR 2017, sec. 2.2. C is the dense FLOP
of the layer, S_A the bytes of its input and output, S_W those of its dense weights, x the density, F the compute rate,
B the memory bandwidth, alpha the compute overhead and beta the storage overhead of sparse weights:

    t_dense     = C / F
    t_compute   = alpha * x * C / F
    t_bandwidth = (S_A + beta * x * S_W) / B
    speedup     = t_dense / max(t_compute, t_bandwidth)
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from perfmodel.errors import InputError
from perfmodel.hardware import Hardware
from perfmodel.problem import Problem
from perfmodel.useful import UsefulRange

Bound = Literal["compute", "bandwidth"]
_FLOAT = 4


@dataclass(frozen=True, slots=True)
class PaperProjection:
    """What the paper's equations say of one layer at one density; seconds for one image."""

    density: float
    t_dense: float
    t_compute: float
    t_bandwidth: float

    @property
    def t_sparse(self) -> float:
        """Seconds of the sparse convolution: the longer of compute and bandwidth."""
        return max(self.t_compute, self.t_bandwidth)

    @property
    def bound(self) -> Bound:
        """Which of the two roofs binds."""
        return "compute" if self.t_compute >= self.t_bandwidth else "bandwidth"

    @property
    def speedup(self) -> float:
        """Dense time over sparse time."""
        return self.t_dense / self.t_sparse


def paper_projection(
    problem: Problem, density: float, hardware: Hardware, alpha: float | None = None, beta: float = 2.0
) -> PaperProjection:
    """Project one image of ``problem`` at ``density`` by the equations of sec. 2.2.

    ``alpha`` None takes the hardware's own. Raises :class:`InputError` for a density outside 0 to 1 or an overhead that is
    not positive, :class:`MissingNumberError` where the hardware lacks ``peak_flops``, ``bandwidth`` or ``alpha``.
    """
    if not 0.0 <= density <= 1.0:
        raise InputError(f"density is {density!r}; allowed: 0 to 1")
    t_dense, dense_alpha, t_data, t_weights = _terms(problem, hardware, alpha, beta)
    return PaperProjection(density, t_dense, dense_alpha * density, t_data + t_weights * density)


def paper_useful_range(problem: Problem, hardware: Hardware, alpha: float | None = None, beta: float = 2.0) -> UsefulRange:
    """Densities between which pruning pays by the paper's model; errors as :func:`paper_projection`.

    ``high`` is 1/alpha (at most 1, and less where the memory roof already reaches the dense time there). ``low`` is
    the density at which both roofs meet, x* = (S_A/B) / (alpha*C/F - beta*S_W/B): below it more
    sparsity buys little. Where the memory roof binds all the way, time falls with the weights' bytes alone and ``low`` is 0.
    """
    t_dense, t_full, t_data, t_weights = _terms(problem, hardware, alpha, beta)
    limit = t_dense / t_data
    if limit <= 1.0:
        return UsefulRange(None, None, f"bandwidth bound: moving input and output alone takes {1 / limit:.3g} times the dense time", limit)
    break_even = min(1.0, t_dense / t_full)
    memory = (t_dense - t_data) / t_weights
    high = min(break_even, memory)
    meet = t_data / (t_full - t_weights) if t_full > t_weights else math.inf
    low = meet if meet <= high else 0.0
    above = "compute reaches the dense time" if break_even <= memory else "weights' bytes reach the dense time"
    below = f"bandwidth bound below {low:.3g}" if low else "bandwidth bound throughout"
    return UsefulRange(low, high, f"{above} at {high:.3g}; {below}", limit)


def _terms(problem: Problem, hardware: Hardware, alpha: float | None, beta: float) -> tuple[float, float, float, float]:
    """Seconds for one image: dense, sparse compute at density 1, input and output bytes, weight bytes at density 1."""
    alpha = float(hardware.number("alpha")) if alpha is None else alpha
    for name, value in (("alpha", alpha), ("beta", beta)):
        if not 0.0 < value < math.inf:
            raise InputError(f"{name} is {value!r}; allowed: a positive number")
    image = problem.with_batch(1)
    t_dense = image.flops / hardware.peak_flops
    activations = _FLOAT * (math.prod(image.input_shape) + math.prod(image.output_shape))
    weights = _FLOAT * image.weight_count
    return float(t_dense), alpha * t_dense, activations / hardware.bandwidth, beta * weights / hardware.bandwidth
