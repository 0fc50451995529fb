"""`pithead up`."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import TYPE_CHECKING

import click

from console.aws.account import AwsSession, adopt
from console.aws.addresses import addresses
from console.aws.speed import environment_here
from console.checkout import Checkout
from console.commands.options import iam_option
from console.errors import ConsoleError
from console.local import local_cloud
from console.local.provisioning import make_ready
from console.progress import Steps

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Mapping
    from types import FrameType

    from console.aws.account import Aws
    from console.local.local_cloud import LocalCloud
    from console.local.provisioning import Ready
    from environments.schema import Environment


@click.command("up")
@click.option("--detach", is_flag=True, help="Return when the local cloud is ready.")
@click.option(
    "--speed",
    type=click.FloatRange(min=0, min_open=True),
    metavar="N",
    default=1.0,
    show_default=True,
    help="Seconds of the cloud's clock per second of this machine's clock. At 60 a bake of five "
    "minutes lasts five seconds here, and 20 requests per second in an environment file are 1,200 "
    "per second here.",
)
@click.option(
    "--port",
    metavar="PORT",
    default=4566,
    show_default=True,
    help="Port of the AWS API; 0 is any free port.",
)
@click.option(
    "--gateway-port",
    type=int,
    metavar="PORT",
    help="Port of deployed APIs; 0 is any free port; default: the port of earlier starts, else "
    "4567.",
)
@click.option(
    "--new-account",
    is_flag=True,
    help="Give each account the quotas of a new AWS account: 10 concurrent executions of Lambda, "
    "one build at a time. pithead preflight lists those that "
    "are too small.",
)
@iam_option
@click.option(
    "--metric-delay",
    type=click.FloatRange(min=0),
    metavar="SECONDS",
    default=0.0,
    show_default=True,
    help="Seconds of the cloud's clock by which metrics arrive later than usual on AWS.",
)
@click.option(
    "--state",
    type=click.Path(file_okay=False, path_type=Path),
    help="State folder; default: .pithead of the checkout.",
)
def command(
    detach: bool,
    speed: float,
    port: int,
    gateway_port: int | None,
    new_account: bool,
    iam: str,
    metric_delay: float,
    state: Path | None,
) -> int:
    """Start a local cloud and deploy the pipeline to it.

    The first start bootstraps the local cloud's accounts, pushes HEAD to its repository, and
    deploys the pipeline with the CDK CLI. The pipeline then releases that commit; `pithead
    release` follows it. Later starts keep all deployed resources and their addresses.

    Stop it with Ctrl-C, or with `pithead down` after --detach. The state folder keeps everything
    for the next start; remove the folder to start from nothing.

    \b
    Exit codes:
      0    ready (--detach), or stopped
      1    error
      2    wrong usage
      130  interrupted before it was ready
    """  # noqa: D301  # \b is click's own sign
    checkout = Checkout.here()
    # The files are validated before anything starts.
    home, environments = checkout.home(), checkout.environments()
    state = (state or checkout.state).resolve()
    steps = Steps()
    with steps.step("the local cloud"):
        process, cloud = local_cloud.start(
            state,
            port=port,
            gateway_port=gateway_port,
            speed=speed,
            new_account=new_account,
            iam=iam,
            metric_delay=metric_delay,
        )
    adopt(cloud.variables(home.account, home.region))
    try:
        ready = make_ready(
            checkout, cloud, state=state, cache=checkout.root / ".cache" / "cdk", steps=steps
        )
    except BaseException:
        process.terminate()
        process.wait()
        raise
    _print_ready(cloud, ready, environments, steps)
    _print_addresses(AwsSession(home), environments, steps)
    return 0 if detach else _wait(process, steps)


def _print_ready(
    cloud: LocalCloud, ready: Ready, environments: Mapping[str, Environment], steps: Steps
) -> None:
    steps.say(f"\nThe local cloud is ready at {cloud.endpoint}, at speed {cloud.speed:g}.")
    scaled = environment_here("prod", environments["prod"], cloud.speed)
    if scaled:
        steps.say(scaled)
    steps.say(f"Its pipeline releases what is pushed to branch {ready.branch}.")
    steps.say("  pithead release        release HEAD and follow it to production")
    steps.say("  pithead status         show what serves in each environment")
    steps.say("  pithead remote         print the git URL to push to")
    steps.say('  eval "$(pithead env)"  direct AWS clients of this shell to the local cloud')


def _print_addresses(aws: Aws, environments: Mapping[str, Environment], steps: Steps) -> None:
    """Print the address of each environment and what serves there."""
    steps.say("")
    for each in addresses(aws, environments):
        steps.say(f"  {each.environment:<8} {' '.join(filter(None, (each.url, each.serves)))}")


def _wait(process: subprocess.Popen[bytes], steps: Steps) -> int:
    """Wait until the local cloud ends; stop it on a signal."""

    def stop(_number: int, _frame: FrameType | None) -> None:
        process.terminate()

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, stop)
    steps.say("\nStop it with Ctrl-C.")
    code = process.wait()
    if code != 0:
        raise ConsoleError(
            f"the local cloud ended with exit code {code}. See localcloud.log in its state folder"
        )
    steps.say("The local cloud has stopped. Start it again with pithead up")
    return 0
