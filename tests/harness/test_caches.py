"""Eviction streams more than the last-level cache."""

import numpy as np
import pytest

from harness import caches


@pytest.fixture
def sizes(monkeypatch, tmp_path):
    """Pretend that the caches have these sizes."""

    def pretend(*texts):
        for index, text in enumerate(texts):
            folder = tmp_path / f"index{index}"
            folder.mkdir()
            (folder / "size").write_text(text + "\n")
        monkeypatch.setattr(caches, "Path", lambda _: tmp_path)
        return caches._ballast.__wrapped__().nbytes

    return pretend


@pytest.mark.parametrize(
    ("texts", "mib"),
    [((), 64), (("32K", "1024K", "8M"), 64), (("32K", "96M"), 192), (("32K", "98304K"), 192), (("32K", "1G"), 512), (("33554432",), 64)],
)
def test_twice_the_largest_cache_within_limits(sizes, texts, mib):
    assert sizes(*texts) == mib << 20


def test_evict_and_touch_change_nothing():
    array = np.arange(1000, dtype=np.float32)
    before = array.copy()
    caches.evict()
    caches.touch(array)
    assert np.array_equal(array, before)
    assert caches._ballast() is caches._ballast()
