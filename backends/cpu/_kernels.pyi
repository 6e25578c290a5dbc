from typing import Any, NewType

PlanHandle = NewType("PlanHandle", object)
Fields = tuple[int, ...]

def isas() -> list[tuple[str, int, int]]: ...
def layout(problem: Fields, choice: Fields, lanes: int, /) -> tuple[int, int, int, int, int, int, int, int, int, int]: ...
def make(
    problem: Fields,
    choice: Fields,
    isa: str,
    lanes: int,
    dense: bool,
    weight: Any,
    bias: Any | None,
    relu: bool,
    threads: int,
    /,
) -> PlanHandle: ...
def run(plan: PlanHandle, x: Any, y: Any, /) -> tuple[float, float]: ...
def info(plan: PlanHandle, /) -> dict[str, int]: ...
