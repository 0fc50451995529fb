from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from localcloud.core.delays import NO_DELAYS
from localcloud.core.quotas import ESTABLISHED_ACCOUNT
from localcloud.server import ALL, LocalCloud

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from localcloud.core.delays import Delays
    from localcloud.core.quotas import Quotas
    from localcloud.iam.access import Mode


@pytest.fixture
def start_cloud(tmp_path: Path) -> Iterator[Callable[..., LocalCloud]]:
    """Starts local clouds, on `tmp_path / "state"` unless told otherwise; stops those still up."""
    started: list[LocalCloud] = []

    def start(
        *,
        services: Sequence[str] = ALL,
        speed: float = 1.0,
        state: Path | None = None,
        quotas: Quotas = ESTABLISHED_ACCOUNT,
        iam: Mode = "soft",
        delays: Delays = NO_DELAYS,
    ) -> LocalCloud:
        server = LocalCloud(
            state or tmp_path / "state",
            speed=speed,
            services=services,
            quotas=quotas,
            iam=iam,
            delays=delays,
        )
        server.start()
        started.append(server)
        return server

    yield start
    for server in started:
        if server.running:
            server.stop()
