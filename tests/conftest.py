"""Fixtures shared by the whole suite."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from backends.openvino.loading import share_tbb

# Small machines and busy ones: no library may start a thread pool as wide as the machine inside the tests.
for _variable in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(_variable, "1")

# Tests of all engines share this process, and some import OpenVINO before OpenCL is asked for.
share_tbb()


@pytest.fixture(scope="session")
def repository() -> Path:
    """Folder that holds pyproject.toml."""
    return Path(__file__).parents[1]


@pytest.fixture
def rng() -> np.random.Generator:
    """Seeded random numbers, the same for every test."""
    return np.random.default_rng(20171)
