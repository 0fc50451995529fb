"""The local cloud of one state folder: its ports, its start and its stop."""

from __future__ import annotations

import json
import os
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING, Any

from localcloud.api import AwsApi
from localcloud.compose import Substitutes, compose
from localcloud.core.bus import EventBus
from localcloud.core.clients import Clients
from localcloud.core.clock import Clock
from localcloud.core.core import Core
from localcloud.core.credentials import Credentials
from localcloud.core.delays import AS_ON_AWS
from localcloud.core.door import Door
from localcloud.core.gateway_port import gateway
from localcloud.core.http import HttpServer
from localcloud.core.ledger import Ledger
from localcloud.core.quotas import ESTABLISHED_ACCOUNT
from localcloud.core.storage import StorageError
from localcloud.iam.access import Access
from localcloud.iam.simulation import answer_simulations
from localcloud.iam.usage import answer_last_accessed
from localcloud.moto.journal import Journal
from localcloud.moto.lifecycle import Lifecycle

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from localcloud.core.delays import Delays
    from localcloud.core.http import Wsgi
    from localcloud.core.quotas import Quotas
    from localcloud.iam.access import Mode

_NO_SUBSTITUTES = Substitutes()
CLOCK_RECORD_AHEAD_SECONDS = 3.0
"""Wall seconds by which a recorded time is ahead; must exceed the interval of the records."""


class LocalCloud:
    """The local cloud of one state folder.

    `iam` says what happens to a call of a role that no policy allows: it is refused (`enforce`), or
    logged to stderr and answered (`soft`).
    `services` are the names (see `Cloud.services`) of those that start and whose API answers; moto
    answers for the others. `substitutes` replace what services receive of one another.
    `delays` says how late changes, data and events are seen; `NO_DELAYS` is for tests of something
    else.

    Raises:
        StateInUseError: another one has the folder.
        UnusableStateError: the folder cannot be written, or what it holds cannot be used.
        PortInUseError: a port is taken; 0 asks for any free one.
        GatewayPortError: the folder keeps another gateway port.
    """

    def __init__(
        self,
        state: Path,
        *,
        port: int = 0,
        gateway_port: int | None = 0,
        speed: float = 1.0,
        quotas: Quotas = ESTABLISHED_ACCOUNT,
        services: Sequence[str] | None = None,
        substitutes: Substitutes = _NO_SUBSTITUTES,
        iam: Mode = "soft",
        delays: Delays = AS_ON_AWS,
    ) -> None:
        self._state = state
        self._ledger = Ledger(state)
        clock = Clock(speed, (self._ledger.get("clock", "last") or {}).get("timestamp"))
        with ExitStack() as undone:
            undone.callback(self._ledger.close)
            api_door, gateway_door = Door(self._answer, cors=False), Door(self._serve, cors=True)
            self._api = HttpServer("api", port, api_door, clock.timestamp)
            undone.callback(self._api.stop)
            self._gateway = gateway(self._ledger, gateway_port, gateway_door, clock.timestamp)
            undone.callback(self._gateway.stop)
            self._compose(clock, quotas, services, substitutes, iam, delays)
            undone.pop_all()
        self.running = False

    def _compose(
        self,
        clock: Clock,
        quotas: Quotas,
        services: Sequence[str] | None,
        substitutes: Substitutes,
        iam: Mode,
        delays: Delays,
    ) -> None:
        credentials = Credentials(self._ledger)
        core = Core(
            clock,
            self._ledger,
            EventBus(clock),
            credentials,
            Clients(self._api.url, credentials),
            self._api.url,
        )
        access = Access(core, delays, iam)
        answer_simulations(access.stored)
        answer_last_accessed(access.usage)
        journal = Journal(self._ledger, clock)
        self._lifecycle = Lifecycle(clock, journal.expire)
        self.cloud = compose(core, access, journal, quotas, delays, self._gateway.url, substitutes)
        known = self.cloud.services()
        unknown = sorted(set(services or ()) - known.keys())
        if unknown:
            raise ValueError(f"services: found {unknown[0]}; there are {', '.join(known)}")
        self._services = {
            name: service for name, service in known.items() if services is None or name in services
        }
        self._wsgi = self._dispatcher()

    def start(self) -> None:
        """Restore the state from the ledger, then serve.

        Writes the addresses and the administrators' secret key to `endpoint.json` in the state
        folder, which only its owner can read.
        """
        self.running = True
        self.remember_time(CLOCK_RECORD_AHEAD_SECONDS)
        providers = {
            type_name: provider
            for service in self._services.values()
            for type_name, provider in service.providers.items()
        }
        if "cloudformation" in self._services:
            self.cloud.cloudformation.register(providers)
        self.cloud.journal.replay()
        self.cloud.access.propagation.start()
        self._ledger.sweep()
        self._api.start()
        self._gateway.start()
        for service in self._services.values():
            service.start()
        endpoint = {
            "endpoint": self._api.url,
            "gateway": self._gateway.url,
            "pid": os.getpid(),
            "speed": self.cloud.clock.speed,
            "iam": self.cloud.access.mode,
            "secret_key": self.cloud.credentials.secret_key,
        }
        self._lifecycle.start()
        partial = self._state / "endpoint.json.new"
        partial.touch()
        partial.chmod(0o600)
        partial.write_text(json.dumps(endpoint))
        partial.replace(self._state / "endpoint.json")

    def stop(self) -> None:
        """Stop all services; the next start resumes or fails what was in progress."""
        self.running = False
        (self._state / "endpoint.json").unlink(missing_ok=True)
        self._lifecycle.stop()
        for service in reversed(self._services.values()):
            service.stop()
        self._api.stop()
        self._gateway.stop()
        with suppress(StorageError):  # the disk is full: the last recorded time stays
            self.remember_time()
        self._ledger.close()

    def remember_time(self, ahead: float = 0.0) -> None:
        """Record the cloud time that will be in `ahead` wall seconds.

        The next start continues no earlier than this time. A running process records a future time,
        and a new one before that is reached, so that time does not go back after a kill.
        """
        clock = self.cloud.clock
        self._ledger.put("clock", "last", {"timestamp": clock.timestamp() + ahead * clock.speed})

    def _dispatcher(self) -> Wsgi:
        apis = {
            signing_name: api
            for name, apis_of_service in self.cloud.apis().items()
            if name in self._services
            for signing_name, api in apis_of_service.items()
        }
        git: Wsgi = (
            self.cloud.codeconnections.git
            if "codeconnections" in self._services
            else self.cloud.journal
        )
        return AwsApi(self.cloud, self.cloud.access, apis, self.cloud.journal, git)

    def _answer(self, environ: dict[str, Any], start_response: Any) -> Any:
        return self._wsgi(environ, start_response)

    def _serve(self, environ: dict[str, Any], start_response: Any) -> Any:
        return self.cloud.gateway.application(environ, start_response)
