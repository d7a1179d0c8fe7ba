"""Profiles of the property tests: the same cases at every run, more of them in `make test-deep`.

Tests that hold the optimized answer to the plain one ask for more still: `strategies.cases`.
"""

from __future__ import annotations

import gc

from hypothesis import HealthCheck, Phase, settings

settings.register_profile(
    "default",
    max_examples=200,
    deadline=None,
    derandomize=True,
    database=None,
    # a failing case is shrunk; to explain it takes minutes where a case is a whole engine
    phases=[Phase.explicit, Phase.generate, Phase.target, Phase.shrink],
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
settings.register_profile("deep", settings.get_profile("default"), max_examples=1_000)
settings.load_profile("default")


def pytest_collection_finish() -> None:
    """Take what the tests themselves are made of out of the garbage collector's sight.

    There are millions of such objects, none of them garbage, and a full collection walked them all:
    a tenth of a second, for each that a test or a benchmark asks for, and for each that comes by
    itself.
    """
    gc.collect()
    gc.freeze()
