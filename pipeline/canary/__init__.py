"""The statistics of the canary judge: standard library only, for it runs in a small Lambda."""

from pipeline.canary.canary_test import CanaryTest
from pipeline.canary.counts import Counts
from pipeline.canary.objectives import Objectives

__all__ = ["CanaryTest", "Counts", "Objectives"]
