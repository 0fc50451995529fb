"""Limits that the files' schema and the pipeline share, and types of numbers."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

MAX_STEP_MINUTES = 2880
"""That a step of a shift may last ("Deployment configurations on an AWS Lambda compute platform"
of the CodeDeploy user guide)."""
JOURNEY_PERIODS = 3
"""That the alarms on journeys evaluate, each as long as the time between two journeys."""
Share = Annotated[float, Field(gt=0, lt=1)]
"""Of requests; neither none nor all."""
