"""Persist moto: append each call that changes its state to a journal, and replay it at start.

moto keeps everything in memory. Each call that changes something runs with a random seed and a time
of its own. It is appended to the journal before moto runs it, so that moto never contains what the
disk rejected, and is removed if moto rejects it. A replay in the same order creates the same
resources with the same identifiers and dates.
"""

from __future__ import annotations

import base64
import logging
import os
import threading
from contextlib import suppress
from functools import cache, partial
from typing import TYPE_CHECKING, Any

from localcloud.core.operations import changes_state
from localcloud.core.storage import StorageError
from localcloud.moto.bucket_policies import enforce_unconditional_statements
from localcloud.moto.compaction import needed_objects, superseded
from localcloud.moto.determinism import as_of, give_to_moto
from localcloud.moto.signing_keys import sign_as_aws_does

# After the sources of random numbers and time, which moto looks up when it is imported.
from localcloud.moto.lifecycle import expired, remove_versions  # isort: skip
from localcloud.moto.object_writes import UNUSED_HEADERS, is_plain, repeat  # isort: skip
from localcloud.moto.sizes import limit_sizes  # isort: skip
from localcloud.moto.bucket_access import close_buckets  # isort: skip
from localcloud.moto.key_states import check_key_states  # isort: skip
from localcloud.moto.policy_rules import check_policies  # isort: skip
from moto.core.base_backend import BackendDict  # isort: skip
from moto.moto_server.werkzeug_app import (  # isort: skip
    BackendRequest,
    DomainDispatcherApplication,
    create_backend_app,
)
from werkzeug.test import EnvironBuilder, run_wsgi_app

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from flask import Flask

    from localcloud.core.clock import Clock
    from localcloud.core.http import Wsgi
    from localcloud.core.ledger import Ledger

logger = logging.getLogger(__name__)
_STREAM = "moto"
_INLINE = 4096  # bytes; a longer body becomes a file
_MOTO_PATHS = ("/moto-api", "/favicon.ico", "/latest/meta-data/", "/latest/api/")


class Journal:
    """moto as a WSGI application that survives its process.

    `register` names a function that changes moto's state without a request (CloudFormation creates
    resources this way); `perform` runs it and records it.
    """

    def __init__(self, ledger: Ledger, clock: Clock) -> None:
        give_to_moto(clock)
        enforce_unconditional_statements()
        sign_as_aws_does()
        limit_sizes()
        check_policies()
        close_buckets()
        check_key_states()
        self._ledger = ledger
        self._clock = clock
        self._lock = threading.RLock()
        self._performers: dict[str, Callable[[dict[str, Any]], dict[str, Any] | None]] = {}
        self._versions: dict[str, int] = {}
        """The entry that made a version of an object, by the version's id."""
        self._moto = _moto()

    def register(
        self, kind: str, performer: Callable[[dict[str, Any]], dict[str, Any] | None]
    ) -> None:
        """Name what `perform(kind, …)` runs: a function of a JSON document, nothing else."""
        self._performers[kind] = performer

    def perform(self, kind: str, document: dict[str, Any]) -> dict[str, Any] | None:
        """Run a registered function and record it; one that raises is not recorded.

        Raises:
            StorageError: the disk rejects the record; the function has not run.
        """
        with self._lock:
            mark = self._mark()
            number = self._ledger.append(_STREAM, {"kind": kind, "document": document} | mark)
            try:
                with as_of(**mark):
                    return self._performers[kind](document)
            except BaseException:
                self._withdraw(number)
                raise

    def replay(self) -> int:
        """Replay all entries; returns their number.

        Called once, at start: afterwards moto, one per process, contains these entries and nothing
        else. An entry that fails now, although it succeeded when it was recorded, is logged and
        skipped.
        """
        _forget()
        entries = self._ledger.read(_STREAM)
        told_since = set(superseded(entries))
        self._ledger.remove(told_since)
        entries = [each for each in entries if each[0] not in told_since]
        for number, entry in entries:
            with as_of(entry["seed"], entry["moment"]):
                version = repeat(entry, partial(self._body, entry))
                said = self._again(entry) if version is None else None
            if version not in {None, "null"}:
                self._versions[str(version)] = number
            if said:
                logger.warning("Entry %d of the journal is skipped: %s", number, said)
        return len(entries)

    def __call__(
        self, environ: dict[str, Any], start_response: Callable[..., Any]
    ) -> Iterable[bytes]:
        """Answer a request with moto."""
        body = environ["wsgi.input"].getvalue()
        if not changes_state(environ):
            return self._moto(environ, start_response)
        answered: list[int] = []
        version: list[str] = []

        def watched(status: str, headers: list[tuple[str, str]], *rest: Any) -> Any:
            answered.append(int(status[:3]))
            version.extend(value for name, value in headers if name == "x-amz-version-id")
            return start_response(status, headers, *rest)

        with self._lock:
            mark = self._mark()
            entry = self._entry(environ, body)
            number = self._ledger.append(_STREAM, entry | mark)
            answer = None
            try:
                with as_of(**mark):
                    answer = [b"".join(self._moto(environ, watched))]
            finally:
                if answer is None or answered[-1] >= 400:  # noqa: PLR2004  # HTTP's line of errors
                    self._withdraw(number)
            if version and is_plain(entry):
                self._versions[version[0]] = number
        return answer

    def expire(self, now: float) -> int:
        """Apply S3's lifecycle rules at a cloud time; returns how many versions expired.

        Their entries are removed from the journal first, so that no replay restores them.

        Raises:
            StorageError: the disk rejects it; nothing has expired.
        """
        with self._lock:
            needed = needed_objects(self._ledger.read(_STREAM))
            found = [
                each
                for each in expired(now, self._versions.keys())
                if not needed({f"/{each[0].name}/{each[1]}", f"/{each[0].name}"})
            ]
            ids = [version.version_id for _, _, versions in found for version in versions]
            self._ledger.remove(self._versions[each] for each in ids)
            for bucket, key, versions in found:
                remove_versions(bucket, key, versions)
            for each in ids:
                del self._versions[each]
        return len(ids)

    def _withdraw(self, number: int) -> None:
        """Remove an entry that moto rejected."""
        # If a full disk keeps the entry, moto rejects it again in the next replay.
        with suppress(StorageError):
            self._ledger.remove([number])

    def _mark(self) -> dict[str, Any]:
        return {
            "seed": int.from_bytes(os.urandom(6), "big"),
            "moment": self._clock.timestamp(),
        }

    def _again(self, entry: dict[str, Any]) -> str | None:
        """Replay one entry; returns the error, or None."""
        if entry["kind"] == "request":
            _, status, _ = run_wsgi_app(self._moto, self._environ(entry), buffered=True)
            failed = not status.startswith(("2", "3"))
            return f"{entry['method']} {entry['path']} answers {status}" if failed else None
        try:
            self._performers[entry["kind"]](entry["document"])
        except Exception as error:  # noqa: BLE001  # moto raises what it likes
            return f"{entry['document']}: {error!r}"
        return None

    def _entry(self, environ: dict[str, Any], body: bytes) -> dict[str, Any]:
        kept = {
            name: value
            for name, value in environ.items()
            if name not in UNUSED_HEADERS
            and (name.startswith("HTTP_") or name in {"CONTENT_TYPE", "REQUEST_URI", "RAW_URI"})
        }
        entry = {
            "kind": "request",
            "method": environ["REQUEST_METHOD"],
            "path": environ["PATH_INFO"],
            "query": environ.get("QUERY_STRING", ""),
            "headers": kept,
        }
        if len(body) > _INLINE:
            return entry | {"blob": self._ledger.store(body)}
        return entry | {"body": base64.b64encode(body).decode()}

    def _body(self, entry: dict[str, Any]) -> bytes:
        if "blob" in entry:
            return self._ledger.load(entry["blob"])
        return base64.b64decode(entry["body"])

    def _environ(self, entry: dict[str, Any]) -> dict[str, Any]:
        builder = EnvironBuilder(method=entry["method"], data=self._body(entry))
        environ = builder.get_environ()
        environ["PATH_INFO"] = entry["path"]
        environ["QUERY_STRING"] = entry["query"]
        environ.update(entry["headers"])
        return environ


def _forget() -> None:
    """Delete moto's state."""
    for backends in list(BackendDict._instances):  # type: ignore[misc]  # noqa: SLF001  # in use
        if backends.service_name == "iam":
            backends.clear()  # a reset would read all of AWS's managed policies again
    BackendDict.reset()


@cache
def _moto() -> Wsgi:
    """Build moto's application once per process: it takes long."""
    application: Wsgi = _Dispatcher(_backend)
    return application


def _backend(service: Any) -> Flask:
    application: Flask = create_backend_app(service)
    application.request_class = _MotoRequest
    return application


class _MotoRequest(BackendRequest):
    """Parse a form only in a POST: an object's content may have a form's content type."""

    @property
    def want_form_data_parsed(self) -> bool:
        wanted: bool = super().want_form_data_parsed
        return wanted and self.method == "POST"


class _Dispatcher(DomainDispatcherApplication):
    """moto's dispatcher, by the signed service alone and with a cache of its backends.

    moto sends some paths to backends of its own, whatever service the request is signed for: the
    control API, which resets and reveals all state, and the instance metadata.
    """

    def get_application(self, environ: dict[str, Any]) -> Flask:
        if environ.get("PATH_INFO", "").startswith(_MOTO_PATHS):
            found = super().get_application(environ | {"PATH_INFO": "/"})
            environ["wsgi.input"].seek(0)
        else:
            found = super().get_application(environ)
        application: Flask = found
        return application

    def __init__(self, create_app: Any) -> None:
        super().__init__(create_app)
        self._found: dict[str | None, Any] = {}

    def get_backend_for_host(self, host: str | None) -> Any:
        if host not in self._found:
            self._found[host] = super().get_backend_for_host(host)
        return self._found[host]
