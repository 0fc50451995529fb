"""What all tests have in common."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

# How long an example takes tells of the machine and what else runs on it.
settings.register_profile("pithead", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("pithead")
