"""`pithead logs`."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import click

from console.aws.account import answered_at, connect
from console.aws.deployed import deployed
from console.checkout import Checkout
from console.durations import Duration
from console.errors import ConsoleError
from console.release.following import history, in_detail
from environments.schema import NAMES
from pipeline.names import ALIAS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime, timedelta

    from console.aws.account import Aws, Place
    from environments.schema import Environment

_PAUSE = 1.0  # wall seconds between two looks of --follow


@click.command("logs")
@click.argument("of", metavar="[ENVIRONMENT|build]", type=click.Choice([*NAMES, "build"]),
                default="prod")  # fmt: skip
@click.option("--follow", is_flag=True, help="Also print new lines as they are written.")
@click.option(
    "--since",
    type=Duration(),
    help="Print only the last 30s, 10m, 2h or 1d of the cloud's clock; default: all.",
)
@click.option("--filter", "term", help="Print only lines that contain this text.")
@click.option("--execution", metavar="ID", help="For build: an execution's id, or its "
              "first characters; default: the newest.")  # fmt: skip
@click.option(
    "--action",
    metavar="NAME",
    help="For build: print only this action, such as Synth; default: all.",
)
def command(
    of: str,
    follow: bool,
    since: timedelta | None,
    term: str | None,
    execution: str | None,
    action: str | None,
) -> None:
    """Print what the service wrote in an environment, or what builds of the pipeline wrote.

    ENVIRONMENT is dev, staging or prod (the default); `build` is every build of an execution.
    Times are the cloud's, in UTC.
    """
    if of != "build" and (execution or action):
        raise click.UsageError(
            f"--execution and --action: found for {of}; allowed only for pithead logs build"
        )
    checkout = Checkout.here()
    environments = checkout.environments()
    aws, whom = connect(checkout)
    click.echo(whom, err=True)
    if of == "build":
        streams, place = _builds(aws, execution, action), None
    else:
        streams, place = _function(aws, of, environments[of]), environments[of]
    begin = None
    if since is not None:
        begin = answered_at(aws.client("sts").get_caller_identity()) - since
    for line in _lines(aws, place, streams, begin, term, follow=follow):
        click.echo(line)


Streams = dict[str, list[str]]
"""Log streams by group; none at all means every stream of the group."""


def _function(aws: Aws, name: str, environment: Environment) -> Streams:
    what = deployed(aws, name, environment)
    if what is None:
        raise ConsoleError(f"nothing is deployed in {name} yet; pithead status shows what is")
    configuration = aws.client("lambda", environment).get_function_configuration(
        FunctionName=what.function, Qualifier=ALIAS
    )
    return {configuration["LoggingConfig"]["LogGroup"]: []}


def _builds(aws: Aws, execution: str | None, action: str | None) -> Streams:
    executions = history(aws)
    if not executions:
        raise ConsoleError("the pipeline has not run yet; pithead release starts it")
    found = [each for each in executions if each.id.startswith(execution or "")]
    if not found:
        ids = ", ".join(each.id[:8] for each in executions[-5:])
        raise ConsoleError(f"--execution: found {execution!r}; the newest executions are {ids}")
    chosen = in_detail(aws, found[-1])
    builds = {
        each.name: each.external_id
        for stage in chosen.stages
        for each in stage.actions
        if each.provider == "CodeBuild" and each.external_id
    }
    if not builds:
        raise ConsoleError(f"execution {chosen.id} has no builds yet. Next: pithead status")
    if action and action not in builds:
        raise ConsoleError(
            f"--action: found {action!r}; execution {chosen.id} has {', '.join(builds)}"
        )
    wanted = [builds[action]] if action else list(builds.values())
    streams: Streams = {}
    for build in aws.client("codebuild").batch_get_builds(ids=wanted)["builds"]:
        if "streamName" in build["logs"]:
            streams.setdefault(build["logs"]["groupName"], []).append(build["logs"]["streamName"])
    return streams


def _lines(
    aws: Aws,
    place: Place | None,
    streams: Streams,
    begin: datetime | None,
    term: str | None,
    *,
    follow: bool,
) -> Iterator[str]:
    start = int(begin.timestamp() * 1000) if begin else 0
    seen: set[str] = set()
    while True:
        events = [
            event
            for group, names in streams.items()
            for event in _events(aws, place, group, names, start, term)
            if event["eventId"] not in seen
        ]
        for event in sorted(events, key=lambda each: each["timestamp"]):
            seen.add(event["eventId"])
            yield _line(event)
        if not follow:
            return
        time.sleep(_PAUSE)


def _events(
    aws: Aws, place: Place | None, group: str, streams: list[str], start: int, term: str | None
) -> Iterator[dict[str, Any]]:
    wanted: dict[str, Any] = {"logGroupName": group, "startTime": start}
    if streams:
        wanted["logStreamNames"] = streams
    if term:
        # In quotes it is a term, whatever signs it holds ("Filter pattern syntax").
        wanted["filterPattern"] = '"' + term.replace('"', '\\"') + '"'
    logs = aws.client("logs", place)
    answer = logs.filter_log_events(**wanted)
    yield from answer["events"]
    while answer.get("nextToken"):
        answer = logs.filter_log_events(**wanted, nextToken=answer["nextToken"])
        yield from answer["events"]


def _line(event: dict[str, Any]) -> str:
    seconds, milliseconds = divmod(event["timestamp"], 1000)
    at = time.strftime("%H:%M:%S", time.gmtime(seconds))
    return f"{at}.{milliseconds:03d}  {event['message'].rstrip()}"
