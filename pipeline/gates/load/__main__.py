"""`python -m pipeline.gates.load`."""

from __future__ import annotations

import sys

from pipeline.gates.gate import main
from pipeline.gates.load.program import run

if __name__ == "__main__":
    sys.exit(main("load", run))
