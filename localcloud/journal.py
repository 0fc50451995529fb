"""Makes moto remember: what changed its state is journaled, and done again at the next start.

moto keeps everything in memory. Each of its calls that changes something runs under a random
seed of its own, and is appended to the journal before it is acknowledged; done again in the
same order under the same seeds, the calls make the same resources with the same identifiers.
"""

from __future__ import annotations

import base64
import os
import random
import threading
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

# moto would answer every request with headers that only a browser reads.
os.environ.setdefault("MOTO_DISABLE_GLOBAL_CORS", "true")

from moto.moto_api._internal import mock_random
from moto.moto_api._internal.moto_random import MotoRandom
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.test import EnvironBuilder, run_wsgi_app

from localcloud.bucket_policies import enforce_unconditional_statements

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from localcloud.http import Wsgi
    from localcloud.ledger import Ledger

_STREAM = "moto"
_INLINE = 4096  # bytes; a longer body becomes a file
_READS = (
    "Get", "List", "Describe", "Head", "BatchGet", "Query", "Scan", "Search", "Lookup", "Simulate",
    "Encrypt", "Decrypt", "ReEncrypt", "GenerateDataKey", "GenerateRandom", "Sign", "Verify",
)  # fmt: skip


class _SeededRandom(MotoRandom):
    """moto's source of identifiers, with a state for each thread so that seeds do not mix."""

    _threads = threading.local()

    def _own(self) -> random.Random:
        own: random.Random | None = getattr(self._threads, "random", None)
        if own is None:
            own = self._threads.random = random.Random()  # noqa: S311  # identifiers, no secrets
        return own

    def random(self) -> float:
        return self._own().random()

    def getrandbits(self, k: int, /) -> int:
        return self._own().getrandbits(k)

    def seed(self, a: Any = None, version: int = 2) -> None:
        self._own().seed(a, version)


class Journal:
    """moto as a WSGI application that survives its process.

    `register` names a function that changes moto's state in some other way than by a request
    (CloudFormation makes its resources so); `perform` runs it under the journal.
    """

    def __init__(self, ledger: Ledger) -> None:
        mock_random.__class__ = _SeededRandom
        enforce_unconditional_statements()
        self._ledger = ledger
        self._lock = threading.RLock()
        self._performers: dict[str, Callable[[dict[str, Any]], dict[str, Any] | None]] = {}
        self._moto: Wsgi = DomainDispatcherApplication(create_backend_app)

    def register(
        self, kind: str, performer: Callable[[dict[str, Any]], dict[str, Any] | None]
    ) -> None:
        """Name what `perform(kind, …)` runs: a function of a JSON document, nothing else."""
        self._performers[kind] = performer

    def perform(self, kind: str, document: dict[str, Any]) -> dict[str, Any] | None:
        """Run a registered function and record it; one that raises is not recorded."""
        with self._lock:
            seed = self._seed()
            result = self._performers[kind](document)
            self._ledger.append(_STREAM, {"kind": kind, "seed": seed, "document": document})
            return result

    def replay(self) -> int:
        """Do again all that is recorded; returns how many entries that were.

        Called once, on a moto that holds nothing yet.
        """
        entries = self._ledger.read(_STREAM)
        for _, entry in entries:
            mock_random.seed(entry["seed"])
            if entry["kind"] == "request":
                run_wsgi_app(self._moto, self._environ(entry), buffered=True)
            else:
                self._performers[entry["kind"]](entry["document"])
        return len(entries)

    def __call__(
        self, environ: dict[str, Any], start_response: Callable[..., Any]
    ) -> Iterable[bytes]:
        """Answer a request by moto."""
        body = environ["wsgi.input"].getvalue()
        if not _changes(environ, body):
            return self._moto(environ, start_response)
        answered: list[int] = []

        def watched(status: str, headers: list[tuple[str, str]], *rest: Any) -> Any:
            answered.append(int(status[:3]))
            return start_response(status, headers, *rest)

        with self._lock:
            seed = self._seed()
            answer = [b"".join(self._moto(environ, watched))]
            if answered[-1] < 400:  # noqa: PLR2004  # HTTP's own line between success and error
                self._ledger.append(_STREAM, self._entry(environ, body, seed))
        return answer

    def _seed(self) -> int:
        seed = int.from_bytes(os.urandom(6), "big")
        mock_random.seed(seed)
        return seed

    def _entry(self, environ: dict[str, Any], body: bytes, seed: int) -> dict[str, Any]:
        kept = {
            name: value
            for name, value in environ.items()
            if name.startswith("HTTP_") or name in {"CONTENT_TYPE", "REQUEST_URI", "RAW_URI"}
        }
        entry = {
            "kind": "request",
            "seed": seed,
            "method": environ["REQUEST_METHOD"],
            "path": environ["PATH_INFO"],
            "query": environ.get("QUERY_STRING", ""),
            "headers": kept,
        }
        if len(body) > _INLINE:
            return entry | {"blob": self._ledger.store(body)}
        return entry | {"body": base64.b64encode(body).decode()}

    def _environ(self, entry: dict[str, Any]) -> dict[str, Any]:
        if "blob" in entry:
            body = self._ledger.path(entry["blob"]).read_bytes()
        else:
            body = base64.b64decode(entry["body"])
        environ = EnvironBuilder(method=entry["method"], data=body).get_environ()
        environ["PATH_INFO"] = entry["path"]
        environ["QUERY_STRING"] = entry["query"]
        environ.update(entry["headers"])
        return environ


def _changes(environ: dict[str, Any], body: bytes) -> bool:
    """Whether a request may change state, by its operation's name or its method."""
    if environ["REQUEST_METHOD"] in {"GET", "HEAD", "OPTIONS"}:
        return False
    target = environ.get("HTTP_X_AMZ_TARGET", "")
    if not target and environ.get("CONTENT_TYPE", "").startswith(
        "application/x-www-form-urlencoded"
    ):
        target = parse_qs(body.decode(errors="replace")).get("Action", [""])[0]
    return not target.rsplit(".", 1)[-1].startswith(_READS)
