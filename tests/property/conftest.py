"""Enough examples to find what is common, few enough for every run: `HYPOTHESIS_MAX_EXAMPLES=5000` looks harder."""

import os

from hypothesis import HealthCheck, settings

settings.register_profile(
    "suite",
    max_examples=int(os.environ.get("HYPOTHESIS_MAX_EXAMPLES", "50")),
    deadline=None,  # other tests share the processor
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("suite")
