"""The tests of what is delivered, and of the environments that it is delivered to.

`--promoted` compares the number of tests with the release promoted last, which needs AWS.
"""

from __future__ import annotations

import sys
from functools import partial

from pipeline.gates.gate import Outcome, run
from pipeline.gates.testing import promoted
from pipeline.gates.testing.suite import Comparison, run_tests

FOLDERS = ("tests/service", "tests/environments")


def judge(compare: Comparison | None = None) -> Outcome:
    """Run `tests/service` and `tests/environments`.

    Raises:
        CouldNotRunError: see `run_tests`.
    """
    return run_tests("unit", FOLDERS, compare)


if __name__ == "__main__":
    if sys.argv[1:] == ["--promoted"]:
        sys.exit(run("unit", partial(judge, promoted.comparison("unit"))))
    sys.exit(run("unit", judge))
