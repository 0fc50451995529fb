"""The statistics of the canary judge; standard library only, as they run in a small Lambda."""

from pipeline.judge.statistics.canary_test import CanaryTest
from pipeline.judge.statistics.counts import Counts
from pipeline.judge.statistics.objectives import Objectives

__all__ = ["CanaryTest", "Counts", "Objectives"]
