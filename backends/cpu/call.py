"""How a plan of the C kernels is called."""

from __future__ import annotations

from backends.cpu import _kernels
from harness.contract import Plan
from harness.contract.plan import Array


class KernelPlan(Plan):
    """A plan whose call is one call into C, which checks the arrays as well."""

    checks_arrays = True
    _handle: _kernels.PlanHandle

    def _run(self, x: Array, y: Array) -> float:
        """Seconds without packing."""
        try:
            total, packing = _kernels.run(self._handle, x, y)
        except (TypeError, ValueError, BufferError):
            self.check(x, y)  # in the words of the contract
            raise
        return total - packing
