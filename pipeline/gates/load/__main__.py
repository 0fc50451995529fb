"""`python -m pipeline.gates.load`."""

from __future__ import annotations

import sys

from pipeline.gates.gate import run
from pipeline.gates.load.judging import judge

if __name__ == "__main__":
    sys.exit(run("load", judge))
