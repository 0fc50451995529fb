"""The state of a build after a `kill -9` of the local cloud."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from localcloud.codebuild import processes

if TYPE_CHECKING:
    from collections.abc import Callable

    from localcloud.server import LocalCloud

_CHILD = """
import json, sys, threading
sys.path.insert(0, {here!r})
from pathlib import Path
from builds import SERVICES, Builds
from localcloud.core.delays import NO_DELAYS
from localcloud.server import LocalCloud
server = LocalCloud(Path({state!r}), services=SERVICES, delays=NO_DELAYS)
server.start()
builds = Builds(server)
builds.set_up()
builds.declare()
begun = threading.Event()
server.cloud.logs.subscribe(
    lambda *written: begun.set() if "begun" in [text for _, text in written[4]] else None
)
command = "setsid sleep 600 & echo begun; sleep 600"
build = builds.start(buildspec=json.dumps(
    {{"version": "0.2", "phases": {{"build": {{"commands": [command]}}}}}}
))
begun.wait()
print(build.id, flush=True)
sys.stdin.read()
"""


def test_a_build_left_by_a_killed_cloud_is_ended_and_marked(
    start_cloud: Callable[..., LocalCloud], tmp_path: Path
) -> None:
    script = _CHILD.format(here=str(Path(__file__).parent), state=str(tmp_path / "state"))
    with subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        build_id = child.stdout.readline().strip()
        child.send_signal(signal.SIGKILL)
    assert len(processes.processes_of(build_id)) >= 2
    server = start_cloud(services=("logs", "sts", "codebuild"))
    assert processes.processes_of(build_id) == []
    client = server.cloud.client("codebuild", "111111111111", "eu-west-1")
    (build,) = client.batch_get_builds(ids=[build_id])["builds"]
    assert build["buildStatus"] == "FAULT"
    assert build["endTime"] >= build["startTime"]
    logs = server.cloud.client("logs", "111111111111", "eu-west-1")
    events = logs.get_log_events(
        logGroupName=build["logs"]["groupName"], logStreamName=build["logs"]["streamName"]
    )["events"]
    assert "begun" in [event["message"] for event in events]


if not Path("/proc").is_dir():
    pytest.skip("needs /proc to see processes", allow_module_level=True)
