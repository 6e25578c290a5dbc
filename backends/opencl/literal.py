"""Source generated for one layer's pattern: the cases that literal.cl puts into its switch."""

from __future__ import annotations

import numpy as np

from backends.opencl.rows import RowBlocks


def generated_cases(blocks: RowBlocks) -> str:
    """One ``case`` a block: its columns in order, each a load ``X(tap)`` and ``F(row, weight)`` for the rows that use it."""
    lines = []
    for block in range(blocks.blocks):
        lines.append(f"case {block}:")
        columns = slice(blocks.start[block], blocks.start[block + 1])
        for tap, values in zip(blocks.offset[columns].tolist(), blocks.value[columns], strict=True):
            terms = " ".join(f"F({row}, {float(values[row]).hex()}f)" for row in np.flatnonzero(values).tolist())
            lines.append(f"X({tap}) {terms}")
        lines.append("break;")
    return "\n".join(lines)
