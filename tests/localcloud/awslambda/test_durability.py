from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Any

import boto3
from botocore.exceptions import BotoCoreError

from localcloud.core.ports import Routing

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import pytest

    from localcloud.server import LocalCloud

ACCOUNT, REGION = "222222222222", "eu-west-1"
SLEEPER = """
import os, subprocess, time
def handler(event, context):
    if event:
        child = subprocess.Popen(["sleep", "600"])
        with open(event, "w") as file:
            print(os.getpid(), child.pid, file=file)
        time.sleep(600)
    return os.getpid()
"""
# A local cloud in a separate process, which a test may kill.
SERVER = """
import json, sys, threading
from pathlib import Path
from localcloud.core.delays import NO_DELAYS
from localcloud.server import LocalCloud
server = LocalCloud(Path(sys.argv[1]), services=("logs", "sts", "functions"), delays=NO_DELAYS)
server.start()
print(server.cloud.endpoint, flush=True)
threading.Event().wait()
"""


RULE = f"arn:aws:events:{REGION}:{ACCOUNT}:rule/r"


def test_functions_survive_a_restart(start: Any) -> None:
    lambdas = start()
    lambdas.create("kept", "def handler(event, context): return 1", Tags={"a": "b"}, Publish=True)
    lambdas.client.update_function_code(
        FunctionName="kept",
        ZipFile=lambdas.zipped("def handler(event, context): return 2"),
        Publish=True,
    )
    lambdas.client.create_alias(FunctionName="kept", Name="live", FunctionVersion="1")
    lambdas.server.cloud.functions.route(ACCOUNT, REGION, "kept", "live", Routing("2", {"1": 0}))
    lambdas.client.add_permission(
        FunctionName="kept:live", StatementId="s", Action="lambda:*", Principal="*"
    )
    before = [lambdas.client.get_function(FunctionName=f"kept:{each}") for each in ("1", "live")]
    lambdas.server.stop()

    lambdas = start()
    after = [lambdas.client.get_function(FunctionName=f"kept:{each}") for each in ("1", "live")]
    for each in (*before, *after):
        del each["ResponseMetadata"]
    assert after == before
    functions = lambdas.server.cloud.functions
    assert functions.routing(ACCOUNT, REGION, "kept", "live") == Routing("2", {"1": 0})
    assert functions.allows(
        ACCOUNT, REGION, "kept", "live", principal="events.amazonaws.com", source_arn=RULE
    )
    assert lambdas.invoke("kept:1")[1] == 1
    assert lambdas.invoke("kept:live")[1] == 2
    assert lambdas.client.publish_version(FunctionName="kept")["Version"] == "2"


def test_no_worker_survives_a_killed_cloud(start: Any, tmp_path: Path) -> None:
    lambdas = start()
    lambdas.create("sleeper", SLEEPER)
    lambdas.server.stop()
    told = tmp_path / "pids"
    os.mkfifo(told)
    server = subprocess.Popen(
        [sys.executable, "-c", SERVER, str(tmp_path / "state")], stdout=subprocess.PIPE, text=True
    )
    with server:
        assert server.stdout is not None
        client: Any = boto3.client(
            "lambda",
            endpoint_url=server.stdout.readline().strip(),
            region_name=REGION,
            aws_access_key_id=ACCOUNT,
            aws_secret_access_key=json.loads((tmp_path / "state" / "endpoint.json").read_text())[
                "secret_key"
            ],
        )
        idle = json.loads(client.invoke(FunctionName="sleeper")["Payload"].read())
        # It gets no answer because the cloud is killed.
        busy = threading.Thread(target=_ignore, args=(client, str(told)))
        busy.start()
        pids = [idle, *map(int, told.read_text().split())]
        ends = [os.pidfd_open(pid) for pid in pids]
        server.send_signal(signal.SIGKILL)
        for end in ends:
            assert select.select([end], [], [], 60)[0]
            os.close(end)
        busy.join()


def _ignore(client: Any, told: str) -> None:
    with contextlib.suppress(BotoCoreError):
        client.invoke(FunctionName="sleeper", Payload=json.dumps(told))


def test_code_unused_for_long_is_unzipped_again(
    start_cloud: Callable[..., LocalCloud],
) -> None:
    """Four unused folders are kept at any time; the zips stay, and so do the versions."""
    server = start_cloud(services=("logs", "sts", "functions"))
    bundles = server.cloud.functions.bundles
    digests, folders = [], []
    for number in range(12):
        digest, _ = bundles.take("1" * 12, "eu-west-1", {"ZipFile": f"number = {number}"})
        digests.append(digest)
        folders.append(bundles.open(digest))
        os.utime(folders[-1], (number, number))
        if number > 0:
            bundles.close(folders[-1])

    def kept() -> set[str]:
        return {each.name for each in folders[0].parent.iterdir()}

    assert kept() == {digests[0], *digests[7:]}  # the first is in use
    bundles.close(folders[0])
    bundles.clear()
    assert kept() == set(digests[8:])
    assert (bundles.open(digests[0]) / "index.py").read_text() == "number = 0"


def test_a_worker_that_has_ended_no_longer_uses_its_folder(
    start: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    lambdas = start()
    bundles = lambdas.server.cloud.functions.bundles
    closed, close = threading.Event(), bundles.close

    def closing(folder: Path) -> None:
        close(folder)
        closed.set()

    monkeypatch.setattr(bundles, "close", closing)
    lambdas.create("echo", "def handler(event, context): return event")
    assert lambdas.invoke("echo", 1)[1] == 1
    assert list(bundles._users.values()) == [1]
    lambdas.client.delete_function(FunctionName="echo")
    assert closed.wait(60)
    assert list(bundles._users.values()) == [0]
