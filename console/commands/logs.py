"""`pithead logs`."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import click

from console.aws.account import connect
from console.aws.deployed import deployed
from console.checkout import Checkout
from console.durations import Duration
from console.errors import ConsoleError
from console.release.history import history, in_detail
from environments.schema import NAMES
from pipeline.gates.aws import answered_at
from pipeline.names import ALIAS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime, timedelta

    from console.aws.account import Aws, Place

_POLL_INTERVAL_SECONDS = 1.0
"""Between two queries of --follow, by this machine's clock."""


@click.command("logs")
@click.argument(
    "source",
    metavar="[ENVIRONMENT|build]",
    type=click.Choice([*NAMES, "build"]),
    default="prod",
)
@click.option("--follow", is_flag=True, help="Keep printing new lines until interrupted.")
@click.option(
    "--since",
    type=Duration(),
    help="Print only lines of the last 30s, 10m, 2h or 1d of the cloud's clock; default: all "
    "lines.",
)
@click.option(
    "--filter",
    "term",
    metavar="TEXT",
    help="Print only lines that contain this text; default: all lines.",
)
@click.option(
    "--execution",
    metavar="ID",
    help="For build: id of an execution, or its first characters; default: the newest execution.",
)
@click.option(
    "--action",
    metavar="NAME",
    help="For build: name of an action, such as Synth; default: all actions.",
)
def command(
    source: str,
    follow: bool,
    since: timedelta | None,
    term: str | None,
    execution: str | None,
    action: str | None,
) -> None:
    """Print the logs of an environment, or of the pipeline's builds.

    ENVIRONMENT is dev, staging or prod (the default): the log lines of the service. `build` is
    the log lines of all builds of one execution. Times are in UTC, by the cloud's clock.

    \b
      pithead logs prod --since 1h --filter ERROR
      pithead logs build --action Synth
    """  # noqa: D301  # \b is click's own sign
    if source != "build" and (execution or action):
        raise click.UsageError(
            f"--execution and --action: found for {source}; allowed only for pithead logs build"
        )
    checkout = Checkout.here()
    environments = checkout.environments()
    aws, target = connect(checkout)
    click.echo(target, err=True)
    place = None if source == "build" else environments[source]
    if place is None:
        streams = _build_streams(aws, execution, action)
    else:
        streams = _service_streams(aws, source, place)
    begin = None
    if since is not None:
        begin = answered_at(aws.client("sts").get_caller_identity()) - since
    for line in _lines(aws, place, streams, begin, term, follow=follow):
        click.echo(line)


Streams = dict[str, list[str]]
"""Log streams by group; an empty list is every stream of the group."""


def _service_streams(aws: Aws, name: str, place: Place) -> Streams:
    service = deployed(aws, name, place)
    if service is None:
        raise ConsoleError(f"{name}: nothing is deployed yet. Run pithead release")
    configuration = aws.client("lambda", place).get_function_configuration(
        FunctionName=service.function, Qualifier=ALIAS
    )
    return {configuration["LoggingConfig"]["LogGroup"]: []}


def _build_streams(aws: Aws, execution: str | None, action: str | None) -> Streams:
    executions = history(aws)
    if not executions:
        raise ConsoleError("the pipeline has not run yet. Run pithead release")
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
        time.sleep(_POLL_INTERVAL_SECONDS)


def _events(
    aws: Aws, place: Place | None, group: str, streams: list[str], start: int, term: str | None
) -> Iterator[dict[str, Any]]:
    wanted: dict[str, Any] = {"logGroupName": group, "startTime": start}
    if streams:
        wanted["logStreamNames"] = streams
    if term:
        # Quotes make any text a term ("Filter pattern syntax").
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
