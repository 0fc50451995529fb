"""The local cloud as a process: started, found by its `endpoint.json`, stopped.

The console knows it by its command line, that file and the AWS API, and by nothing else.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from console.errors import ConsoleError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

UNSET = ("AWS_SESSION_TOKEN", "AWS_PROFILE", "AWS_DEFAULT_PROFILE")
"""Variables that lead an AWS client elsewhere, wherever they were set."""
_LOOK = 0.1  # wall seconds between two looks at the process
_STOP = 60.0  # wall seconds that it may take to stop


@dataclass(frozen=True)
class Running:
    """A local cloud that serves."""

    endpoint: str
    gateway: str
    pid: int
    speed: float
    secret_key: str = field(repr=False)
    """Of every account's administrator."""
    iam: str = "enforce"
    """What happens to a call of a role that IAM denies: `enforce` or `soft`."""

    def variables(self, account: str, region: str) -> dict[str, str]:
        """What points any AWS client at it, as an account's administrator."""
        direct = ["127.0.0.1", *filter(None, [os.environ.get("NO_PROXY") or ""])]
        no_proxy = ",".join(dict.fromkeys(",".join(direct).split(",")))
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": account,
            "AWS_SECRET_ACCESS_KEY": self.secret_key,
            # What the user's own files say is about some other AWS.
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_REGION": region,
            "AWS_DEFAULT_REGION": region,
            "NO_PROXY": no_proxy,
            "no_proxy": no_proxy,
        }


def find(*states: Path) -> Running | None:
    """The local cloud of the first of these state folders that one serves."""
    return next((running for state in states if (running := _found(state))), None)


def foreign(environment: Mapping[str, str]) -> list[str]:
    """The AWS variables to take out of an environment before `Running.variables` go in."""
    return sorted({*UNSET, *(name for name in environment if name.startswith("AWS_"))})


def _found(state: Path) -> Running | None:
    try:
        document = json.loads((state / "endpoint.json").read_text())
    except (OSError, json.JSONDecodeError):
        return None
    running = Running(**document)
    # A killed process leaves the file behind, and its number may be another's by now.
    return running if _lives(running.pid) and _answers(running.endpoint) else None


def start(
    state: Path,
    *,
    port: int,
    gateway_port: int | None,
    speed: float,
    new_account: bool = False,
    iam: str = "enforce",
    metric_delay: float = 0.0,
) -> tuple[subprocess.Popen[bytes], Running]:
    """Start one and wait until it serves.

    The folder keeps the gateway port of its first start; None leaves it to the local cloud.
    `new_account` gives its accounts the quotas of new ones.
    It writes to `localcloud.log` in the state folder, and outlives this process unless that
    terminates it and waits.

    Raises:
        ConsoleError: one serves already, a port is in use, the folder keeps another gateway
            port, or it did not start.
    """
    found = find(state)
    if found:
        raise ConsoleError(
            f"a local cloud of {state} runs already at {found.endpoint} (process {found.pid}); "
            "use it, or stop it by pithead down"
        )
    log = state / "localcloud.log"
    try:
        state.mkdir(mode=0o700, parents=True, exist_ok=True)
        state.chmod(0o700)  # it may be older
        (state / "endpoint.json").unlink(missing_ok=True)
        log.touch()
    except OSError as error:
        raise ConsoleError(
            f"{state}: found {(error.strerror or str(error)).lower()}; a state folder is writable "
            "and has free space. Make it so, or use another one (--state)"
        ) from error
    # -P: the one that is installed with this command, not one that lies in the working directory.
    command = [sys.executable, "-P", "-m", "localcloud", "--state", str(state)]
    command += ["--speed", str(speed), "--port", str(port)]
    command += ["--iam", iam, "--metric-delay", str(metric_delay)]
    command += [] if gateway_port is None else ["--gateway-port", str(gateway_port)]
    command += ["--new-account"] if new_account else []
    with log.open("wb") as output:
        # A session of its own: Ctrl-C is for the command, which then ends it in good order.
        process = subprocess.Popen(command, stdout=output, stderr=output, start_new_session=True)
    try:
        while process.poll() is None:
            running = find(state)
            if running and running.pid == process.pid:
                return process, running
            time.sleep(_LOOK)
    except BaseException:
        process.terminate()
        process.wait()
        raise
    lines = log.read_text(errors="replace").strip().splitlines() or ["it gave no reason"]
    if lines[-1].startswith("localcloud: "):
        raise ConsoleError(lines[-1].removeprefix("localcloud: "))
    raise ConsoleError(f"the local cloud did not start: {lines[-1]}; see {log}")


def stop(running: Running) -> None:
    """End one and wait until it has ended, whoever started it.

    Raises:
        ConsoleError: it does not end.
    """
    os.kill(running.pid, signal.SIGTERM)
    deadline = time.monotonic() + _STOP
    while _lives(running.pid):
        if time.monotonic() > deadline:
            raise ConsoleError(
                f"the local cloud (process {running.pid}) has not ended after {_STOP:.0f} s; "
                f"kill -9 {running.pid} loses nothing that it acknowledged"
            )
        time.sleep(_LOOK)


def _lives(pid: int) -> bool:
    try:
        # A child that has ended is there until it is waited for.
        if os.waitpid(pid, os.WNOHANG) != (0, 0):
            return False
    except ChildProcessError:
        pass  # another process started it
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, PermissionError):
        return False
    return True


def _answers(endpoint: str) -> bool:
    address = urlsplit(endpoint)
    try:
        socket.create_connection((address.hostname, address.port or 80), timeout=2).close()
    except OSError:
        return False
    return True
