from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from localcloud.compose import Substitutes
from localcloud.core.delays import NO_DELAYS
from localcloud.core.quotas import ESTABLISHED_ACCOUNT
from localcloud.server import LocalCloud

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from localcloud.core.delays import Delays
    from localcloud.core.quotas import Quotas
    from localcloud.iam.access import Mode


_NO_SUBSTITUTES = Substitutes()


@pytest.fixture
def start_cloud(tmp_path: Path) -> Iterator[Callable[..., LocalCloud]]:
    """Start local clouds, by default on `tmp_path / "state"`; stop them at the end."""
    started: list[LocalCloud] = []

    def start(
        *,
        services: Sequence[str] | None = None,
        speed: float = 1.0,
        state: Path | None = None,
        quotas: Quotas = ESTABLISHED_ACCOUNT,
        iam: Mode = "soft",
        delays: Delays = NO_DELAYS,
        substitutes: Substitutes = _NO_SUBSTITUTES,
    ) -> LocalCloud:
        server = LocalCloud(
            state or tmp_path / "state",
            speed=speed,
            services=services,
            quotas=quotas,
            iam=iam,
            delays=delays,
            substitutes=substitutes,
        )
        server.start()
        started.append(server)
        return server

    yield start
    for server in started:
        if server.running:
            server.stop()
