"""The compiled module refuses what does not fit before it touches memory."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from backends.cpu import _kernels

FIELDS = (1, 1, 4, 9, 9, 6, 9, 9, 3, 3, 1, 1, 1, 1, 1, 1)  # g mb ic ih iw oc oh ow kh kw sh sw ph pw dh dw
CHOICE = (0, 1, 3, 3, 4, 1)  # flat slide rows vectors channel_block chunks
MEMORY = np.ones(323 + 486, np.float32)
NAMES = ["g", "mb", "ic", "ih", "iw", "oc", "oh", "ow", "kh", "kw", "sh", "sw", "ph", "pw", "dh", "dw"]


def make(**changes: Any) -> Any:
    fields = {name: changes.pop(name, value) for name, value in zip(NAMES, FIELDS, strict=True)}
    weight = changes.pop("weight", np.ones((6, 4, 3, 3), np.float32))
    options = {"choice": CHOICE, "isa": "portable", "lanes": 4, "dense": False, "bias": None, "relu": False, "threads": 1} | changes
    o = options
    return _kernels.make(tuple(fields.values()), o["choice"], o["isa"], o["lanes"], o["dense"], weight, o["bias"], o["relu"], o["threads"])


def test_it_works_as_given() -> None:
    y = np.empty((1, 6, 9, 9), np.float32)
    total, packing = _kernels.run(make(), np.ones((1, 4, 9, 9), np.float32), y)
    assert y[0, 0, 4, 4] == 36
    assert 0 <= packing < total


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"ic": 0}, "field 2 is 0"),
        ({"ph": -1}, "field 12 is -1"),
        ({"kh": 2**40}, "field 8"),
        ({"oh": 10}, "oh10 does not fit"),
        ({"ow": 900}, "ow900 does not fit"),
        ({"g": 4, "weight": np.ones((6, 1, 3, 3), np.float32)}, "do not divide by g4"),
        ({"mb": 2**31 - 1, "ih": 2**31 - 1, "iw": 2**31 - 1, "oh": 5}, "too large"),
        ({"weight": np.ones((6, 4, 3, 3))}, "format 'd'; allowed: 'f'"),
        ({"weight": np.ones((6, 4, 3, 3), ">f4")}, "format '>f'; allowed: 'f'"),
        ({"weight": np.ones((6, 4, 3, 2), np.float32)}, "weight holds 144 values; allowed: 216"),
        ({"bias": np.ones(5, np.float32)}, "bias holds 5 values; allowed: 6"),
        ({"choice": (0, 1, 3, 3, 5, 1)}, "channel block is 5; allowed: 1 to 4"),
        ({"choice": (0, 1, 3, 3, 4, 7)}, "7 chunks of output channels; allowed: 1 to 6"),
        ({"choice": (0, 1, 30, 3, 4, 1)}, "tile is 30x3 vectors"),
        ({"choice": (0, 1, 2**40, 2**40, 4, 1)}, "tile is"),
        ({"choice": (1, 1, 2, 3, 4, 1)}, "a flat tile has 2 rows"),
        ({"choice": (0, 1, 3, 1, 4)}, "choice is not a tuple of 6"),
        ({"isa": "mmx"}, "no kernels for 'mmx'"),
        ({"lanes": 5}, "with 5 lanes"),
        ({"threads": 0}, "threads is 0"),
        ({"kw": 9, "pw": 4, "choice": (0, 1, 1, 2, 4, 1), "weight": np.ones((6, 4, 3, 9), np.float32)}, "no room for a shift of 8"),
    ],
)
def test_refused_with_a_reason(changes: dict[str, Any], message: str) -> None:
    with pytest.raises((ValueError, TypeError), match=message):
        make(**changes)


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        (np.ones((1, 4, 9, 8), np.float32), np.ones((1, 6, 9, 9), np.float32), r"x has another shape than \(1, 4, 9, 9\)"),
        (np.ones((4, 9, 9), np.float32), np.ones((1, 6, 9, 9), np.float32), r"x has another shape than \(1, 4, 9, 9\)"),
        (np.ones((1, 4, 9, 9), np.float32), np.ones((1, 6, 9, 8), np.float32), r"out has another shape than \(1, 6, 9, 9\)"),
        (np.ones((1, 4, 9, 9), np.float32), np.ones((1, 9, 6, 9), np.float32), r"out has another shape than \(1, 6, 9, 9\)"),
        (memoryview(np.ones((1, 4, 9, 9), np.float32)), np.ones((1, 6, 9, 9), np.float32), "x is not a numpy array"),
        (MEMORY[:324].reshape(1, 4, 9, 9), MEMORY[323:].reshape(1, 6, 9, 9), "out shares memory with x"),
        (np.ones((1, 4, 9, 9), np.int32), np.ones((1, 6, 9, 9), np.float32), "x holds items of format 'i'"),
        (np.ones((1, 4, 9, 18), np.float32)[..., ::2], np.ones((1, 6, 9, 9), np.float32), "contiguous"),
    ],
)
def test_run_refuses_wrong_arrays(x: Any, y: Any, message: str) -> None:
    with pytest.raises((ValueError, TypeError), match=message):
        _kernels.run(make(), x, y)


def test_run_refuses_a_read_only_output_and_a_strange_plan() -> None:
    y = np.ones((1, 6, 9, 9), np.float32)
    y.flags.writeable = False
    with pytest.raises((ValueError, BufferError), match=r"read-only|writable"):
        _kernels.run(make(), np.ones((1, 4, 9, 9), np.float32), y)
    with pytest.raises(ValueError, match="PyCapsule"):
        _kernels.run(object(), y, y)  # type: ignore[arg-type]


def test_not_a_number_and_infinity_pass_through() -> None:
    x = np.ones((1, 4, 9, 9), np.float32)
    x[0, 0, 4, 4] = np.nan
    y = np.empty((1, 6, 9, 9), np.float32)
    for dense in (False, True):
        for relu in (False, True):
            _kernels.run(make(dense=dense, relu=relu, choice=(0, 1, 1, 3, 4, 1)), x, y)
            assert np.isnan(y[0, 0, 3:6, 3:6]).all()
            assert np.isfinite(y).sum() == y.size - 6 * 9
