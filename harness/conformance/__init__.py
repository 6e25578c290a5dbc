"""The contract as a test suite: every backend passes the same tests, a stranger's as well as ours.

With pytest and Hypothesis installed, an author runs::

    pytest --pyargs harness.conformance --backend NAME [--backend-option key=value] [--prepare-option key=value]

Each kernel's declaration (:class:`harness.contract.KernelSpec`) says which problems it must solve and how exactly.
To make the tests part of an own suite, import them into a test module and name what they run on::

    from harness.conformance.test_promises import *
    from harness.conformance.test_refusals import *
    from harness.conformance.test_results import *

    def conformance_subjects():
        return subjects("mine", threads=2)
"""

from harness.conformance.subjects import Subject, subjects

__all__ = ["Subject", "subjects"]
