"""The rehearsal of the files API: its acts, and the customers of prod."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING
from urllib.parse import quote

from console.rehearsal.acts import PIPELINE_CHANGE, Act, Edit
from console.rehearsal.traffic import Customers

if TYPE_CHECKING:
    from collections.abc import Iterator

    from console.rehearsal.traffic import Request

FILES = (
    "reports/2026/november.csv",
    "invoices/2026-11 (final).pdf",
    "photos/München/Straße.jpg",
    "報告/2026年11月.csv",
    "договоры/аренда.pdf",
)
"""File names in the customers' languages."""
CLIENTS = ("Mozilla/5.0 (X11; Linux x86_64)", "AcmeFiles/v4.1 (iPhone)")
"""Values of `User-Agent`: a browser, and an app."""

ACTS = (
    Act(
        name="good-release",
        message="Files: let clients revalidate their copies",
        edits=(
            Edit(
                "service/app/routes/files.py",
                '        "Accept-Ranges": "bytes",\n',
                '        "Accept-Ranges": "bytes",\n'
                '        "Cache-Control": "private, no-cache",\n',
            ),
        ),
        expected="promoted",
    ),
    # The tests' client sends version 2.1, and the customers' app v4.
    Act(
        name="bad-release",
        message="Files: read the client's name and version",
        edits=(
            Edit(
                "service/app/routes/files.py",
                "def _whole(request: Request, path: str, if_none_match: str | None) -> Response:\n",
                "def _whole(request: Request, path: str, if_none_match: str | None) -> Response:\n"
                '    product, _, version = request.headers.get("user-agent", "").partition("/")\n'
                '    request.state.client = (product, int(version.split(".")[0] or 0))\n',
            ),
        ),
        expected="rolled_back",
        verdict="evidence",
    ),
    PIPELINE_CHANGE,
    # Within every limit of staging, and slower than the stable version.
    Act(
        name="refused-release",
        message="Files: wait for the bucket before a read",
        edits=(
            Edit(
                "service/app/routes/files.py",
                "from datetime import UTC\n",
                "import time\nfrom datetime import UTC\n",
            ),
            Edit(
                "service/app/routes/files.py",
                "    if content is None:\n",
                "    time.sleep(0.03)\n    if content is None:\n",
            ),
        ),
        expected="refused",
        gate="load",
        rule="p50-regression",
    ),
)
"""In the order of the rehearsal."""


def _requests(customer: int) -> Iterator[Request]:
    """Yield requests: first writes of the customer's own files, then reads."""
    mine = [f"/files/customer-{customer}/{quote(name)}" for name in FILES]
    for path in mine:
        yield "PUT", path, b"x" * 1024
    for turn in itertools.count():
        if turn % 20 == 0:
            yield "PUT", mine[turn // 20 % len(mine)], b"y" * 1024
        elif turn % 20 == 10:  # noqa: PLR2004  # one in twenty, as above
            yield "GET", f"/files?prefix=customer-{customer}/&limit=20", None
        else:
            yield "GET", mine[turn % len(mine)], None


CUSTOMERS = Customers(CLIENTS, _requests)
