"""`python -m localcloud`; see `localcloud.command`."""

from __future__ import annotations

import sys

from localcloud.core.variables import scrub

if __name__ == "__main__":
    scrub()
    # Behind it: what is imported sets variables of its own, and takes its time.
    from localcloud.command import main

    sys.exit(main())
