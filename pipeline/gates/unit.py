"""The tests of what is delivered, and of the environments that it is delivered to."""

from __future__ import annotations

import sys

from pipeline.gates.gate import Outcome, run
from pipeline.gates.testing.suite import run_tests

FOLDERS = ("tests/service", "tests/environments")


def judge() -> Outcome:
    """Run `tests/service` and `tests/environments`.

    Raises:
        CouldNotRunError: see `run_tests`.
    """
    return run_tests("unit", FOLDERS)


if __name__ == "__main__":
    sys.exit(run("unit", judge))
