"""Dealing pixels to lanes: every pixel once, inside its window, and no two lanes that are served together in one bank."""

from __future__ import annotations

import numpy as np
import pytest

from backends.opencl.gpu_plans import image_planes
from backends.opencl.lanes import deal_lanes
from harness.contract import Problem


@pytest.mark.parametrize("images", [1, 2, 4])
@pytest.mark.parametrize("tile", [32, 128, 512])
@pytest.mark.parametrize("text", ["mb32ic1ih7oc1kh3ph1", "mb5ic1ih13oc1kh3ph1", "mb4ic1ih27oc1kh5ph2", "mb3ic1ih19oc1kh3sh2"])
def test_every_pixel_has_one_lane_inside_the_window(text: str, tile: int, images: int) -> None:
    p = Problem.parse(text)
    planes = image_planes(p, images)
    lanes = deal_lanes(planes, tile, images)
    held = np.sort(lanes.pixel[lanes.pixel >= 0])
    assert (held == np.arange(planes.problem.mb * p.oh * p.ow)).all()
    vector, y, x = lanes.pixel // (p.oh * p.ow), lanes.pixel // p.ow % p.oh, lanes.pixel % p.ow
    position = (vector * planes.rows + y) * planes.pitch + x
    assert (lanes.first[:, None] + lanes.place == position)[lanes.pixel >= 0].all()
    assert lanes.place.min() >= 0
    assert lanes.place.max() + planes.reach < lanes.span


@pytest.mark.parametrize(("text", "tile"), [("mb128ic1ih7oc1kh3ph1", 128), ("mb32ic1ih13oc1kh3ph1", 256), ("mb8ic1ih56oc1kh3ph1", 128)])
def test_few_lanes_that_are_served_together_share_a_bank(text: str, tile: int) -> None:
    """Reads of float4 are served eight lanes at a time; in order of pixels every second such read would take twice as long."""
    planes = image_planes(Problem.parse(text), 4)
    lanes = deal_lanes(planes, tile, 4)
    served = (lanes.place[:-1] % 8).reshape(-1, 8)
    distinct = np.array([len(set(row)) for row in served.tolist()])
    assert (distinct == 8).mean() > 0.8
    in_order = np.sort(lanes.place[:-1], axis=1)
    plain = np.array([len(set(row)) for row in (in_order % 8).reshape(-1, 8).tolist()])
    assert (distinct == 8).mean() >= (plain == 8).mean()
