from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from localcloud.core.ledger import Ledger, StateInUseError

_KEYS = st.sampled_from(["a", "ab", "b/1", "b/2", "%"])
_ACTIONS = st.recursive(
    st.tuples(st.just("put"), _KEYS, st.integers()) | st.tuples(st.just("delete"), _KEYS),
    lambda inner: st.tuples(st.sampled_from(["commit", "abort"]), st.lists(inner, max_size=4)),
    max_leaves=12,
)


class AbortError(Exception):
    pass


def _play(ledger: Ledger, model: dict[str, Any], actions: list[Any]) -> None:
    for action in actions:
        if action[0] == "put":
            ledger.put("kind", action[1], {"value": action[2]})
            model[action[1]] = {"value": action[2]}
        elif action[0] == "delete":
            ledger.delete("kind", action[1])
            model.pop(action[1], None)
        else:
            with ledger.transaction():
                _play(ledger, model, action[1])
                if action[0] == "abort":
                    raise AbortError


@settings(max_examples=60)
@given(st.lists(_ACTIONS, max_size=6), _KEYS)
def test_documents_and_transactions(actions: list[Any], prefix: str) -> None:
    """An outermost transaction is atomic, with all nested ones."""
    with tempfile.TemporaryDirectory() as folder:
        ledger = Ledger(Path(folder))
        ledger._connection.execute("PRAGMA synchronous=OFF")
        model: dict[str, Any] = {}
        for action in actions:
            tried = dict(model)
            try:
                _play(ledger, tried, [action])
                model = tried
            except AbortError:
                pass
        assert dict(ledger.all("kind")) == model
        assert [key for key, _ in ledger.all("kind", prefix)] == sorted(
            key for key in model if key.startswith(prefix)
        )
        ledger.close()
        ledger = Ledger(Path(folder))
        assert {key: ledger.get("kind", key) for key in model} == model
        assert ledger.get("other", "a") is None
        ledger.close()


def test_streams_keep_their_order_over_processes(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    first = ledger.append("one", {"n": 1})
    ledger.append("two", {"n": 2})
    ledger.close()
    ledger = Ledger(tmp_path)
    second = ledger.append("one", {"n": 3})
    assert second > first
    assert ledger.read("one") == [(first, {"n": 1}), (second, {"n": 3})]
    assert ledger.read("one", after=first) == [(second, {"n": 3})]
    ledger.close()


def test_blobs_are_stored_by_content(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    digest = ledger.store(b"bytes")
    assert ledger.store(b"bytes") == digest
    assert ledger.path(digest).read_bytes() == b"bytes"
    ledger.close()


def test_one_folder_has_one_ledger(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    with pytest.raises(StateInUseError, match="is in use by another local cloud"):
        Ledger(tmp_path)
    ledger.close()
    Ledger(tmp_path).close()


_WRITER = """
import sys
from pathlib import Path
from localcloud.core.ledger import Ledger
ledger = Ledger(Path(sys.argv[1]))
number = 0
while True:
    with ledger.transaction():
        ledger.put("pair", "left", {"n": number})
        ledger.put("pair", "right", {"n": number})
    ledger.append("stream", {"n": number})
    print(number, flush=True)
    number += 1
"""


def test_a_kill_loses_no_acknowledged_write(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", _WRITER, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout
    for _ in range(50):
        process.stdout.readline()
    os.kill(process.pid, signal.SIGKILL)
    acknowledged = 49 + len(process.communicate()[0].splitlines())

    ledger = Ledger(tmp_path)
    stream = [each["n"] for _, each in ledger.read("stream")]
    assert stream[: acknowledged + 1] == list(range(acknowledged + 1))
    left = ledger.get("pair", "left")
    assert left == ledger.get("pair", "right")
    assert left
    assert left["n"] >= acknowledged
    ledger.close()


_CONTENTS = st.binary(max_size=3)


@settings(max_examples=25)
@given(st.lists(st.tuples(_CONTENTS, st.sampled_from(["document", "stream", "nothing"]))))
def test_a_sweep_keeps_every_blob_that_a_row_names(stored: list[tuple[bytes, str]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        ledger = Ledger(Path(folder))
        named: set[str] = set()
        for content, where in stored:
            digest = ledger.store(content)
            if where == "document":
                ledger.put("kind", digest[:8], {"code": {"zip": digest}})
            elif where == "stream":
                ledger.append("moto", {"blob": digest})
            if where != "nothing":
                named.add(digest)
        (Path(folder) / "blobs" / "torn.123.456").write_bytes(b"a write that was killed")
        ledger.sweep()
        assert {each.name for each in (Path(folder) / "blobs").iterdir()} == named
        ledger.close()
