"""Limits that the schema and the pipeline share, and number types."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

MAX_STEP_MINUTES = 2880
"""Maximum minutes of a step of a shift.

Source: "Deployment configurations on an AWS Lambda compute platform" (CodeDeploy User Guide).
"""
JOURNEY_PERIODS = 3
"""Periods that the alarms on journeys evaluate, each as long as between journeys."""
Share = Annotated[float, Field(gt=0, lt=1)]
"""A share of requests, between 0 and 1 exclusive."""
