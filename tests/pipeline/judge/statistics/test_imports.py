"""The Lambda starts cold with every deployment, so its imports are limited."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[4]


def test_the_statistics_import_only_small_modules() -> None:
    code = """
import sys
before = set(sys.modules)
import pipeline.judge.statistics
print(*sorted(each for each in set(sys.modules) - before if not each.startswith("pipeline")))
"""
    done = subprocess.run(
        [sys.executable, "-S", "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    allowed = {"__future__", "math", "bisect", "_bisect", "itertools", "operator", "_operator"}
    assert set(done.stdout.split()) <= allowed
