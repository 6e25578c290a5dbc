"""What a source of weights is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from harness.contract.plan import Array
from harness.networks import Layer


@dataclass(frozen=True, slots=True)
class LayerWeights:
    """Weights of one layer: ``array`` is float32 OIHW, C-contiguous, finite and read-only, zeros included.

    ``density`` is the share of its values that are not zero, counted; ``pattern`` is ``uniform``, ``imbalanced``
    or ``real``; ``source`` says in words where the weights come from.
    """

    array: Array
    density: float
    pattern: str
    source: str


class WeightSource(Protocol):
    """Gives each layer its weights. ``takes_density`` is False where the weights bring their own density."""

    @property
    def takes_density(self) -> bool:
        """Whether the density asked for is used."""
        ...

    @property
    def description(self) -> str:
        """The source in words."""
        ...

    def weights_for(self, layer: Layer, density: float | None, seed: int) -> LayerWeights | None:
        """Weights of ``layer``, or None when the source has none for it.

        A source that takes no density ignores ``density``. Raises :class:`InputError` for weights that do not fit.
        """
        ...
