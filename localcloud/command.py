"""The command `python -m localcloud`: serve until a signal stops it.

Exit codes: 0 stopped by a signal; 1 a port or the state folder is in use, or the folder belongs to
another gateway port or is unusable; 2 usage.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import threading
from contextlib import suppress
from pathlib import Path

from localcloud.core.confinement import announce
from localcloud.core.delays import Delays
from localcloud.core.gateway_port import DEFAULT, GatewayPortError
from localcloud.core.http import PortInUseError
from localcloud.core.ledger import StateInUseError
from localcloud.core.log_format import configure_log
from localcloud.core.quotas import ESTABLISHED_ACCOUNT, NEW_ACCOUNT
from localcloud.core.storage import StorageError, UnusableStateError
from localcloud.iam.access import MODES
from localcloud.server import CLOCK_RECORD_AHEAD_SECONDS, LocalCloud

_UNABLE = (GatewayPortError, PortInUseError, StateInUseError, StorageError, UnusableStateError)


def main() -> int:
    """Run the local cloud and return the exit code."""
    parser = argparse.ArgumentParser(prog="localcloud", description=__doc__)
    parser.add_argument(
        "--state", type=Path, default=Path(".pithead"), help="state folder (.pithead)"
    )
    parser.add_argument("--port", type=int, default=4566, help="port of the AWS API (4566)")
    parser.add_argument(
        "--gateway-port",
        type=int,
        help=f"port of deployed APIs ({DEFAULT}); later starts keep the first one",
    )
    parser.add_argument(
        "--speed", type=float, default=1.0, help="cloud seconds per wall-clock second (1)"
    )
    parser.add_argument(
        "--new-account",
        action="store_true",
        help="use a new AWS account's quotas: 10 concurrent executions, one concurrent build",
    )
    parser.add_argument(
        "--iam",
        choices=MODES,
        default="enforce",
        help="reject calls that IAM denies to a role, or only log them (enforce)",
    )
    parser.add_argument(
        "--metric-delay",
        type=float,
        default=0.0,
        help="cloud seconds by which metrics arrive later than on AWS (0)",
    )
    arguments = parser.parse_args()
    if not arguments.speed > 0:
        parser.error(f"--speed is {arguments.speed}; it must be above 0")
    if not arguments.metric_delay >= 0:
        parser.error(f"--metric-delay is {arguments.metric_delay}; it must be 0 or more")
    configure_log()
    stopped = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopped.set())
    try:
        server = LocalCloud(
            arguments.state.resolve(),
            port=arguments.port,
            gateway_port=arguments.gateway_port,
            speed=arguments.speed,
            quotas=NEW_ACCOUNT if arguments.new_account else ESTABLISHED_ACCOUNT,
            iam=arguments.iam,
            delays=Delays(metric_seconds=arguments.metric_delay),
        )
        server.start()
    except _UNABLE as error:
        print(f"localcloud: {error}", file=sys.stderr, flush=True)  # noqa: T201  # a command speaks so
        os._exit(1)  # threads of started services would keep the process alive
    unconfined = announce()
    if unconfined:
        print(unconfined, file=sys.stderr, flush=True)  # noqa: T201  # a command speaks so
    print(f"localcloud: {server.cloud.endpoint}", flush=True)  # noqa: T201  # a command speaks so
    while not stopped.wait(CLOCK_RECORD_AHEAD_SECONDS / 3):
        with suppress(StorageError):  # requests report the full disk; the next round retries
            server.remember_time(CLOCK_RECORD_AHEAD_SECONDS)
    server.stop()
    return 0
