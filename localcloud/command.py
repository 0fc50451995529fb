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
from localcloud.server import REMEMBERED, LocalCloud

_UNABLE = (GatewayPortError, PortInUseError, StateInUseError, StorageError, UnusableStateError)


def main() -> int:
    """Serve; returns the exit code."""
    parser = argparse.ArgumentParser(prog="localcloud", description=__doc__)
    parser.add_argument("--state", type=Path, default=Path(".pithead"), help="where to remember")
    parser.add_argument("--port", type=int, default=4566, help="of the AWS API")
    parser.add_argument(
        "--gateway-port",
        type=int,
        help=f"of deployed APIs, {DEFAULT} unless given; later starts keep it",
    )
    parser.add_argument("--speed", type=float, default=1.0, help="cloud seconds a wall second")
    parser.add_argument(
        "--new-account",
        action="store_true",
        help="the quotas of a new AWS account: 10 concurrent executions, one build at a time",
    )
    parser.add_argument(
        "--iam",
        choices=MODES,
        default="enforce",
        help="what happens to a call of a role that IAM denies: refused, or logged and answered",
    )
    parser.add_argument(
        "--metric-delay",
        type=float,
        default=0.0,
        help="cloud seconds by which metrics arrive later than on AWS",
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
        os._exit(1)  # threads of a service that has started must not keep the process
    unconfined = announce()
    if unconfined:
        print(unconfined, file=sys.stderr, flush=True)  # noqa: T201  # a command speaks so
    print(f"localcloud: {server.cloud.endpoint}", flush=True)  # noqa: T201  # a command speaks so
    while not stopped.wait(REMEMBERED / 3):
        with suppress(StorageError):  # requests report it; the time is recorded when it can be
            server.remember_time(REMEMBERED)
    server.stop()
    return 0
