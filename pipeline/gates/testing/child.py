"""Run pytest and record what happens to each test, for `pipeline.gates.testing.session`.

Started as a program, `python -I child.py DESCRIPTOR ROOT [ARGUMENT]…`, with a key on its standard
input. `-I` keeps the folder of the tests, PYTHONPATH and the user's site out of the module path, so
that the installed pytest runs. For the same reason it imports nothing of `pipeline`.

Each record is one line of the file behind the descriptor: the HMAC-SHA256 of its number and text
in hexadecimal, a space, and the text, which is JSON.
"""

from __future__ import annotations

import hmac
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Sequence

KEY_BYTES = 32
_MAX_MESSAGE_CHARACTERS = 300


class Recorder:
    """A pytest plugin that writes the records `collected`, `started`, `result` and `ended`."""

    def __init__(self, descriptor: int, key: bytes, root: Path) -> None:
        self._descriptor = descriptor
        self._key = key
        self._root = root
        self._process = os.getpid()
        self._number = 0
        self._collected: list[str] = []
        self._errors: dict[str, str] = {}
        self._returned: set[str] = set()
        self._reports: list[pytest.TestReport] = []

    def pytest_itemcollected(self, item: pytest.Item) -> None:
        """Store a test before any hook can deselect it."""
        self._collected.append(item.nodeid)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Store the error of a file that could not be imported."""
        if report.failed:
            self._errors[report.nodeid] = _message(report)

    @pytest.hookimpl(trylast=True)
    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Record the collected tests, the selected tests, and the hooks of the tree."""
        self._write(
            "collected",
            collected=self._collected,
            selected=[item.nodeid for item in session.items],
            hooks=sorted(set(self._foreign_hooks(session.config.pluginmanager))),
        )

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        """Record the start of a test."""
        self._reports = []
        self._write("started", id=nodeid)

    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Generator[None, Any, Any]:
        """Store that a test function has returned; the last wrapper is called next to it."""
        result = yield
        self._returned.add(item.nodeid)
        return result

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Store the report of a phase."""
        self._reports.append(report)

    def pytest_runtest_logfinish(self, nodeid: str) -> None:
        """Record the outcome of a test."""
        outcome, message = _outcome(self._reports)
        if outcome in {"passed", "xpassed"} and nodeid not in self._returned:
            outcome, message = "failed", "reported as passed, but the test has not returned"
        seconds = sum(report.duration for report in self._reports)
        self._write("result", id=nodeid, outcome=outcome, message=message, seconds=seconds)

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, exitstatus: int) -> None:
        """Record the end of the session, and the errors of collection."""
        self._write("ended", status=int(exitstatus), errors=self._errors)

    def _foreign_hooks(self, manager: pytest.PytestPluginManager) -> Iterator[tuple[str, str]]:
        """Yield file and name of each hook that the tree of the tests implements."""
        for plugin in manager.get_plugins():
            module = sys.modules.get(getattr(plugin, "__module__", getattr(plugin, "__name__", "")))
            file = getattr(plugin, "__file__", None) or getattr(module, "__file__", None)
            if plugin is self or file is None:
                continue
            path = Path(file).resolve()
            if path.is_relative_to(self._root) and not path.is_relative_to(sys.prefix):
                name = path.relative_to(self._root).as_posix()
                yield from ((name, each.name) for each in manager.get_hookcallers(plugin) or ())

    def _write(self, kind: str, **values: Any) -> None:
        if os.getpid() != self._process:
            return  # a test has forked
        text = json.dumps({"kind": kind, **values})
        left = f"{signature(self._key, self._number, text)} {text}\n".encode()
        self._number += 1
        while left:
            left = left[os.write(self._descriptor, left) :]


def signature(key: bytes, number: int, text: str) -> str:
    """Return the HMAC of a record, hexadecimal."""
    return hmac.digest(key, f"{number} {text}".encode(), "sha256").hex()


def _outcome(reports: Sequence[pytest.TestReport]) -> tuple[str, str]:
    failed = next((each for each in reports if each.failed), None)
    if failed:
        return "failed", _message(failed)
    expected = any(hasattr(each, "wasxfail") for each in reports)
    if any(each.skipped for each in reports):
        return ("xfailed" if expected else "skipped"), ""
    if any(each.when == "call" and each.passed for each in reports):
        return ("xpassed" if expected else "passed"), ""
    return "failed", "reported without an outcome"


def _message(report: pytest.TestReport | pytest.CollectReport) -> str:
    """Return the line with the error."""
    crash = getattr(report.longrepr, "reprcrash", None)
    if crash is None:
        lines = str(report.longrepr).strip().splitlines()
        return lines[-1][:_MAX_MESSAGE_CHARACTERS] if lines else ""
    first = str(crash.message).splitlines()[0] if crash.message else ""
    return first[:_MAX_MESSAGE_CHARACTERS]


def _main() -> int:
    descriptor, root = int(sys.argv[1]), Path(sys.argv[2]).resolve()
    os.set_inheritable(descriptor, False)  # the function accepts no keyword
    key = sys.stdin.buffer.read(KEY_BYTES)
    sys.path.append(str(root))
    return int(pytest.main(sys.argv[3:], plugins=[Recorder(descriptor, key, root)]))


if __name__ == "__main__":
    sys.exit(_main())
