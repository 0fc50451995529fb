"""The integration tests against a deployed environment, whose URL is in `URL`.

`--promoted` compares the number of tests with the release promoted last, which needs AWS.
"""

from __future__ import annotations

import sys
from functools import partial

from pipeline.gates.address import address
from pipeline.gates.gate import Outcome, run
from pipeline.gates.testing import promoted
from pipeline.gates.testing.suite import Comparison, run_tests

FOLDERS = ("tests/integration",)


def judge(compare: Comparison | None = None) -> Outcome:
    """Run `tests/integration`.

    Raises:
        CouldNotRunError: there is no URL; or see `run_tests`.
    """
    return run_tests("integration", FOLDERS, compare, target=f" against {address()}")


if __name__ == "__main__":
    if sys.argv[1:] == ["--promoted"]:
        sys.exit(run("integration", partial(judge, promoted.comparison("integration"))))
    sys.exit(run("integration", judge))
