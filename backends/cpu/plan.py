"""A prepared convolution of the C kernels."""

from __future__ import annotations

from backends.cpu import _kernels
from backends.cpu.call import KernelPlan
from backends.cpu.choice import Choice, Layout, collapse, layout_of, problem_fields
from backends.cpu.tuning import call_seconds
from harness.contract import PlanRequest

_HOW = {
    "slide": "output rows stacked; the sums slide one lane between kernel columns, so that one copy of the input serves all of them",
    "copies": "output rows stacked; one shifted copy of the input per kernel column",
    "flat-slide": "output rows side by side in the lanes, one plane per kernel row; the sums slide between kernel columns",
    "flat-copies": "output rows side by side in the lanes, one copy of the input per kernel tap",
}


_DIVISION = "; each has an even share of its own, and one that is done takes items from the end of the largest share left"


class CpuPlan(KernelPlan):
    """Weights ordered for one choice of layout and tile; scratch memory is borrowed per call, so threads may share it."""

    def __init__(self, request: PlanRequest, threads: int, isa: str, choice: Choice, reason: str) -> None:
        super().__init__(request, "cpu", threads)
        self.isa, self.choice, self._reason = isa, choice, reason
        self._shape = collapse(request.problem)
        self._dense = request.kernel.method == "dense"
        self._handle = _kernels.make(
            problem_fields(request.problem),
            choice.fields,
            isa,
            choice.lanes,
            self._dense,
            request.weight,
            request.bias,
            request.relu,
            threads,
        )

    @property
    def variant(self) -> str:
        """The name that ``prepare(variant=...)`` takes to force this layout."""
        return self.choice.layout

    def seconds(self) -> float:
        """Time of one call as ``tune`` measures it."""
        return call_seconds(self._handle, self.problem)

    def explain(self) -> str:
        """Layout, tile, channel block, threads, copies made and what bounds the kernel, in words."""
        c, info = self.choice, _kernels.info(self._handle)
        sizes = layout_of(self._shape, c)
        assert sizes is not None
        blocks = info["blocks"]
        return "\n".join(
            [
                f"cpu {self.kernel.name} on {self.isa}, variant {c.layout} ({self._reason})",
                f"  layout: {_HOW[c.layout]}",
                f"  tile: {c.rows} rows x {c.vectors} vectors of {c.lanes} floats in registers; {self._lanes_used(sizes):.0%} of the lanes "
                f"give outputs; {info['tiles']} tiles per output channel",
                f"  input: {c.channel_block} channels packed at a time, {sizes.row_planes * sizes.column_planes} planes a channel, "
                f"{info['planes_bytes'] / 1024:.0f} KiB; sums wait in {info['sums_bytes'] / 1024:.0f} KiB"
                + (f" between {blocks} channel blocks" if blocks > 1 else ""),
                f"  threads: {self.threads} sharing {info['tiles'] * self.problem.g * c.chunks} items ({info['tiles']} tiles x "
                f"{self.problem.g} groups x {c.chunks} parts of the output channels, cut by non-zeros)"
                + (_DIVISION if self.threads > 1 else ""),
                "  copies: the input once per part, padding included; the output not at all",
                f"  bound: {self._bound(sizes, info)}",
            ]
        )

    def _lanes_used(self, sizes: Layout) -> float:
        p = self._shape
        return p.mb * p.oh * p.ow / (sizes.tiles * self.choice.tile * self.choice.lanes)

    def _bound(self, sizes: Layout, info: dict[str, int]) -> str:
        if self._dense:
            return f"FMA: each vector loaded serves 4 output channels of {self.choice.tile} vectors"
        per_row = info["nonzeros"] / max(1, self.problem.oc * info["blocks"])
        share = self._lanes_used(sizes)
        where = "L1" if info["planes_bytes"] <= 40 << 10 else "L2"
        return (
            f"{where} loads: one a multiply-add, so at most {share * self.choice.tile / (self.choice.tile + 1):.0%} of what loads allow; "
            f"{per_row:.0f} non-zeros a row and block"
        )
