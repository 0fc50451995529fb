"""Start, find and stop the process of a local cloud.

The console uses only the process's command line, the file `endpoint.json` in its state folder,
and the AWS API.
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

_ALWAYS_UNSET = ("AWS_SESSION_TOKEN", "AWS_PROFILE", "AWS_DEFAULT_PROFILE")
"""Variables that would direct an AWS client elsewhere, even if a shell sets them later."""
_POLL_INTERVAL_SECONDS = 0.1
_SHUTDOWN_TIMEOUT_SECONDS = 60.0
_CONNECT_TIMEOUT_SECONDS = 2


@dataclass(frozen=True)
class LocalCloud:
    """A running local cloud; the fields are those of its `endpoint.json`."""

    endpoint: str
    """The URL of the AWS API."""
    gateway: str
    """The URL of deployed APIs."""
    pid: int
    speed: float
    """Seconds of the cloud's clock per second of this machine's clock."""
    secret_key: str = field(repr=False)
    """The secret access key of every account's administrator."""
    iam: str = "enforce"
    """A mode of `console.local.iam_mode.MODES`."""

    def variables(self, account: str, region: str) -> dict[str, str]:
        """Return the variables that make an AWS client an account's administrator here."""
        direct = ["127.0.0.1", *filter(None, [os.environ.get("NO_PROXY") or ""])]
        no_proxy = ",".join(dict.fromkeys(",".join(direct).split(",")))
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": account,
            "AWS_SECRET_ACCESS_KEY": self.secret_key,
            # The user's own files configure another AWS.
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_REGION": region,
            "AWS_DEFAULT_REGION": region,
            "NO_PROXY": no_proxy,
            "no_proxy": no_proxy,
        }


def find(*states: Path) -> LocalCloud | None:
    """Return the running local cloud of the first of these state folders that has one."""
    return next((cloud for state in states if (cloud := _running_cloud(state))), None)


def aws_variables(variables: Mapping[str, str]) -> list[str]:
    """Return the AWS variables to unset before `LocalCloud.variables` are set."""
    return sorted({*_ALWAYS_UNSET, *(name for name in variables if name.startswith("AWS_"))})


def _running_cloud(state: Path) -> LocalCloud | None:
    try:
        document = json.loads((state / "endpoint.json").read_text())
    except (OSError, json.JSONDecodeError):
        return None
    cloud = LocalCloud(**document)
    # A killed process leaves the file behind, and another process may have its id by now.
    return cloud if _is_alive(cloud.pid) and _accepts_connections(cloud.endpoint) else None


def start(
    state: Path,
    *,
    port: int,
    gateway_port: int | None,
    speed: float,
    new_account: bool = False,
    iam: str = "enforce",
    metric_delay: float = 0.0,
) -> tuple[subprocess.Popen[bytes], LocalCloud]:
    """Start a local cloud, wait until it answers, and return its process.

    The process writes to `localcloud.log` in the state folder, and outlives this one.

    Args:
        state: the state folder; created if it does not exist.
        port: of the AWS API; 0 is any free port.
        gateway_port: of deployed APIs; 0 is any free port, None the one of earlier starts.
        speed: seconds of the cloud's clock per second of this machine's clock.
        new_account: whether its accounts have the quotas of new AWS accounts.
        iam: a mode of `console.local.iam_mode.MODES`.
        metric_delay: seconds of the cloud's clock by which metrics are later than usual on AWS.

    Raises:
        ConsoleError: one runs already, a port is in use, the folder has another gateway port, or
            the process ended.
    """
    found = find(state)
    if found:
        raise ConsoleError(
            f"{state}: found a running local cloud at {found.endpoint} (process {found.pid}). Use "
            "it, or stop it with pithead down"
        )
    log = state / "localcloud.log"
    try:
        state.mkdir(mode=0o700, parents=True, exist_ok=True)
        state.chmod(0o700)  # an existing folder may have another mode
        (state / "endpoint.json").unlink(missing_ok=True)
        log.touch()
    except OSError as error:
        raise ConsoleError(
            f"{state}: found {(error.strerror or str(error)).lower()}; a state folder must be "
            "writable and have free space. Correct it, or use another folder (--state)"
        ) from error
    # -P: the installed package, not a folder of its name in the working directory.
    command = [sys.executable, "-P", "-m", "localcloud", "--state", str(state)]
    command += ["--speed", str(speed), "--port", str(port)]
    command += ["--iam", iam, "--metric-delay", str(metric_delay)]
    command += [] if gateway_port is None else ["--gateway-port", str(gateway_port)]
    command += ["--new-account"] if new_account else []
    with log.open("wb") as output:
        # A session of its own: Ctrl-C reaches only this command, which then stops the process.
        process = subprocess.Popen(command, stdout=output, stderr=output, start_new_session=True)
    try:
        while process.poll() is None:
            cloud = find(state)
            if cloud and cloud.pid == process.pid:
                return process, cloud
            time.sleep(_POLL_INTERVAL_SECONDS)
    except BaseException:
        process.terminate()
        process.wait()
        raise
    lines = log.read_text(errors="replace").strip().splitlines() or ["its log is empty"]
    if lines[-1].startswith("localcloud: "):
        raise ConsoleError(lines[-1].removeprefix("localcloud: "))
    raise ConsoleError(f"the local cloud did not start: {lines[-1]}. See {log}")


def stop(cloud: LocalCloud) -> None:
    """Stop a local cloud and wait until its process has ended.

    Raises:
        ConsoleError: the process does not end in time.
    """
    os.kill(cloud.pid, signal.SIGTERM)
    deadline = time.monotonic() + _SHUTDOWN_TIMEOUT_SECONDS
    while _is_alive(cloud.pid):
        if time.monotonic() > deadline:
            raise ConsoleError(
                f"the local cloud (process {cloud.pid}) has not ended after "
                f"{_SHUTDOWN_TIMEOUT_SECONDS:.0f} s. Run kill -9 {cloud.pid}, which loses nothing "
                "that the local cloud acknowledged"
            )
        time.sleep(_POLL_INTERVAL_SECONDS)


def _is_alive(pid: int) -> bool:
    try:
        # A child process that has ended has an id until it is waited for.
        if os.waitpid(pid, os.WNOHANG) != (0, 0):
            return False
    except ChildProcessError:
        pass  # not a child of this process
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, PermissionError):
        return False
    return True


def _accepts_connections(endpoint: str) -> bool:
    address = urlsplit(endpoint)
    try:
        socket.create_connection(
            (address.hostname, address.port or 80), timeout=_CONNECT_TIMEOUT_SECONDS
        ).close()
    except OSError:
        return False
    return True
