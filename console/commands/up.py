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
    from console.local.local_cloud import Running
    from console.local.provisioning import Ready
    from environments.schema import Environment


@click.command("up")
@click.option("--detach", is_flag=True, help="Return when it is ready; it keeps running.")
@click.option(
    "--speed",
    type=click.FloatRange(min=0, min_open=True),
    default=1.0,
    show_default=True,
    help="Seconds of the cloud's clock per second of yours: at 60 a bake of five minutes lasts "
    "five seconds, and 20 requests per second in an environment file are 1,200 of yours.",
)
@click.option(
    "--port", default=4566, show_default=True, help="Port of the AWS API; 0: any free port."
)
@click.option(
    "--gateway-port",
    type=int,
    help="Port of deployed APIs; default: 4567, 0: any free port. Later starts keep it.",
)
@click.option(
    "--new-account",
    is_flag=True,
    help="Give each account the quotas of a new AWS account: 10 concurrent executions of Lambda, "
    "one build at a time. See pithead preflight.",
)
@iam_option
@click.option(
    "--metric-delay",
    type=click.FloatRange(min=0),
    default=0.0,
    show_default=True,
    help="Seconds of the cloud's clock by which metrics arrive later than they usually do on AWS.",
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

    The first start bootstraps its accounts, pushes HEAD to a repository of its own and deploys
    the pipeline by the CDK's own CLI; the pipeline then releases that commit, which `pithead
    release` follows. Later starts take up what was there, with the same gateway port, which
    the addresses of deployed APIs hold. Ctrl-C stops it; so does `pithead down`. Nothing is
    forgotten: remove the state folder to begin anew.
    """
    checkout = Checkout.here()
    # An invalid file is reported before anything starts.
    home, environments = checkout.home(), checkout.environments()
    state = (state or checkout.state).resolve()
    steps = Steps()
    with steps.step("the local cloud"):
        process, running = local_cloud.start(
            state,
            port=port,
            gateway_port=gateway_port,
            speed=speed,
            new_account=new_account,
            iam=iam,
            metric_delay=metric_delay,
        )
    adopt(running.variables(home.account, home.region))
    try:
        ready = make_ready(
            checkout, running, state=state, cache=checkout.root / ".cache" / "cdk", steps=steps
        )
    except BaseException:
        process.terminate()
        process.wait()
        raise
    _print_ready(running, ready, environments, steps)
    _print_addresses(AwsSession(home), environments, steps)
    return 0 if detach else _attend(process, steps)


def _print_ready(
    running: Running, ready: Ready, environments: Mapping[str, Environment], steps: Steps
) -> None:
    steps.say(f"\nThe local cloud is ready at {running.endpoint}, at speed {running.speed:g}.")
    meaning = environment_here("prod", environments["prod"], running.speed)
    if meaning:
        steps.say(meaning)
    steps.say(f"Its pipeline releases what is pushed to the branch {ready.branch}.")
    steps.say("  pithead release        release HEAD and follow it")
    steps.say("  pithead status         what serves where")
    steps.say("  pithead remote         the git URL to push to")
    steps.say('  eval "$(pithead env)"  point any AWS client at it')


def _print_addresses(aws: Aws, environments: Mapping[str, Environment], steps: Steps) -> None:
    """Print where each environment is served, if anything is deployed yet."""
    steps.say("")
    for each in addresses(aws, environments):
        steps.say(f"  {each.environment:<8} {' '.join(filter(None, (each.url, each.serves)))}")


def _attend(process: subprocess.Popen[bytes], steps: Steps) -> int:
    """Stay until it ends, or until a signal asks for its end."""

    def stop(_number: int, _frame: FrameType | None) -> None:
        process.terminate()

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, stop)
    steps.say("\nCtrl-C stops it.")
    code = process.wait()
    if code != 0:
        raise ConsoleError(f"the local cloud ended by itself with code {code}; see its log")
    steps.say("The local cloud has stopped; pithead up takes up where it was.")
    return 0
