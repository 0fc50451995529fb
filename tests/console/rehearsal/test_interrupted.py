"""An interrupted rehearsal leaves no process running."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
INTERRUPTED = 130


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_interrupted_rehearsal_stops_its_local_cloud(
    number: signal.Signals, tmp_path: Path
) -> None:
    # A suite in a shell's background ignores SIGINT, as would its children.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    clone = tmp_path / "clone"
    subprocess.run(["git", "clone", "--quiet", "--shared", ROOT, clone], check=True)
    with subprocess.Popen(
        [sys.executable, "-P", "-m", "console.cli", "rehearse"],
        cwd=clone,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as rehearsal:
        assert rehearsal.stdout is not None
        for line in rehearsal.stdout:
            if line.startswith("✓ the local cloud"):
                break
        endpoint = json.loads((clone / ".pithead" / "rehearsal" / "endpoint.json").read_text())
        rehearsal.send_signal(number)
        rest = rehearsal.stdout.read()
    survives = Path(f"/proc/{endpoint['pid']}").exists()
    if survives:
        os.kill(endpoint["pid"], signal.SIGKILL)
    assert rehearsal.returncode == INTERRUPTED, rest
    assert not survives
