"""A unit test that costs more than its share of CPU fails: it is no unit test, or what it tests is slow."""

import sys
import time
from collections.abc import Generator

import pytest

BUDGET = 2.5
"""Seconds of CPU that a unit test may cost; the aim is 0.01. A full garbage collection may fall into any test."""
PROPERTY_BUDGET = 4 * BUDGET
"""Seconds for a property test, which is some hundred tests in one."""


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    begun = time.process_time()
    outcome = yield
    cost = time.process_time() - begun
    is_property = getattr(getattr(item, "obj", None), "is_hypothesis_test", False)
    budget = PROPERTY_BUDGET if is_property else BUDGET
    # Tracing multiplies the cost, and says nothing about the test.
    if cost > budget and sys.gettrace() is None:
        pytest.fail(
            f"This unit test cost {cost * 1000:.0f} ms of CPU; it may cost {budget * 1000:.0f} ms."
        )
    return outcome
