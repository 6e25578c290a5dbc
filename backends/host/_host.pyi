from typing import Any

from numpy.typing import NDArray

def isas() -> tuple[str, ...]: ...
def cpu_name() -> str: ...
def cache_bytes(level: int, /) -> int: ...
def fma_peak(isa: str, seconds: float, samples: int, /) -> list[float]: ...
def stream(isa: str, kind: str, memory: NDArray[Any], skip: int, seconds: float, samples: int, /) -> list[float]: ...
def addresses(x: NDArray[Any], y: NDArray[Any], /) -> tuple[int, int]: ...
def im2col(
    x: NDArray[Any], columns: NDArray[Any], geometry: NDArray[Any], n: int, c0: int, c1: int, y0: int, y1: int, isa: str = ..., /
) -> None: ...
def finish(
    source: NDArray[Any] | None,
    target: NDArray[Any],
    bias: NDArray[Any] | None,
    channels: int,
    pixels: int,
    offset: int,
    stride: int,
    relu: bool,
    /,
) -> None: ...
def im2col_gemm(
    x: NDArray[Any],
    y: NDArray[Any],
    bias: NDArray[Any] | None,
    columns: NDArray[Any],
    product: NDArray[Any],
    geometry: NDArray[Any],
    job: NDArray[Any],
    weights: NDArray[Any],
    gemm: int,
    /,
) -> float: ...
def winograd(
    x: NDArray[Any],
    y: NDArray[Any],
    bias: NDArray[Any] | None,
    input: NDArray[Any],
    product: NDArray[Any],
    staging: NDArray[Any],
    job: NDArray[Any],
    weights: NDArray[Any],
    gemm: int,
    isa: str = ...,
    /,
) -> float: ...
