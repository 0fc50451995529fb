"""CloudWatch Logs over tables of the ledger."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any, ClassVar

from moto.core.responses import ActionResult, EmptyResult

from localcloud.api import ApiError, ServiceApi
from localcloud.resources import Resource

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from localcloud.cloud import Cloud
    from localcloud.resources import Provider, ResourceRequest

    Lines = Sequence[tuple[float, str]]
    Subscriber = Callable[[str, str, str, str, Lines], None]

_GROUP = "logs:group"
_SCHEMA = """
CREATE TABLE IF NOT EXISTS log_events (
    seq INTEGER PRIMARY KEY, log_group TEXT NOT NULL, stream TEXT NOT NULL,
    time REAL NOT NULL, message TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS by_log_group ON log_events (log_group, stream, seq);
"""


class LogsApi(ServiceApi):
    """Groups, streams and events."""

    service: ClassVar[str] = "logs"

    def create_log_group(self) -> ActionResult:
        """Make a group."""
        name = self.params["logGroupName"]
        if self.cloud.ledger.get(_GROUP, self._key(name)):
            raise ApiError(
                "ResourceAlreadyExistsException", "The specified log group already exists"
            )
        self.cloud.logs.create_group(self.account, self.region, name)
        return EmptyResult()

    def delete_log_group(self) -> ActionResult:
        """Remove a group with all its events."""
        self.cloud.logs.delete_group(self.account, self.region, self.params["logGroupName"])
        return EmptyResult()

    def create_log_stream(self) -> ActionResult:
        """A stream comes to be with its first event."""
        self._found(self.params["logGroupName"])
        return EmptyResult()

    def put_retention_policy(self) -> ActionResult:
        """Say how long events are kept, in days."""
        name = self.params["logGroupName"]
        group = self._found(name) | {"retentionInDays": self.params["retentionInDays"]}
        self.cloud.ledger.put(_GROUP, self._key(name), group)
        return EmptyResult()

    def describe_log_groups(self) -> ActionResult:
        """Groups by prefix."""
        prefix = self.params.get("logGroupNamePrefix") or ""
        return ActionResult(
            {"logGroups": [group for _, group in self.cloud.ledger.all(_GROUP, self._key(prefix))]}
        )

    def describe_log_streams(self) -> ActionResult:
        """Streams of a group, with the times of their first and last events."""
        name = self.params["logGroupName"]
        self._found(name)
        rows = self.cloud.ledger.query(
            "SELECT stream, min(time), max(time) FROM log_events WHERE log_group = ?"
            " GROUP BY stream ORDER BY stream",
            (self._key(name),),
        )
        prefix = self.params.get("logStreamNamePrefix") or ""
        return ActionResult(
            {
                "logStreams": [
                    {
                        "logStreamName": stream,
                        "firstEventTimestamp": int(first * 1000),
                        "lastEventTimestamp": int(last * 1000),
                    }
                    for stream, first, last in rows
                    if stream.startswith(prefix)
                ]
            }
        )

    def put_log_events(self) -> ActionResult:
        """Events of a client, whose clock is the wall's."""
        name = self.params["logGroupName"]
        self._found(name)
        clock = self.cloud.clock
        lines = [
            (clock.of_wall(each["timestamp"] / 1000), each["message"])
            for each in self.params["logEvents"]
        ]
        stream = self.params["logStreamName"]
        self.cloud.logs.write(self.account, self.region, name, stream, lines)
        return ActionResult({"nextSequenceToken": "0"})

    def get_log_events(self) -> ActionResult:
        """Events of one stream; tokens lead on from the last that was read."""
        name, stream = self.params["logGroupName"], self.params["logStreamName"]
        self._found(name)
        after = int((self.params.get("nextToken") or "f/0").split("/")[1])
        rows = self._rows(name, stream, after)
        last = rows[-1][0] if rows else after
        return ActionResult(
            {
                "events": [
                    {
                        "timestamp": int(time * 1000),
                        "message": text,
                        "ingestionTime": int(time * 1000),
                    }
                    for _, _, time, text in rows
                ],
                "nextForwardToken": f"f/{last}",
                "nextBackwardToken": f"b/{after}",
            }
        )

    def filter_log_events(self) -> ActionResult:
        """Events of a group that hold every term of a pattern."""
        name = self.params["logGroupName"]
        self._found(name)
        pattern = self.params.get("filterPattern") or ""
        if pattern.startswith(("{", "[", "%")):
            raise ApiError(
                "InvalidParameterException",
                f"Filter pattern {pattern!r} is not part of the local cloud; use plain terms",
            )
        terms = shlex.split(pattern)
        wanted = set(self.params.get("logStreamNames") or [])
        begin = (self.params.get("startTime") or 0) / 1000
        end = (self.params.get("endTime") or 1e15) / 1000
        after = int(self.params.get("nextToken") or 0)
        most = int(self.params.get("limit") or 10000)
        found = []
        for seq, stream, time, text in self._rows(name, None, after):
            if (wanted and stream not in wanted) or not begin <= time <= end:
                continue
            if all(term in text for term in terms):
                found.append(
                    {
                        "logStreamName": stream,
                        "timestamp": int(time * 1000),
                        "message": text,
                        "eventId": str(seq),
                    }
                )
            if len(found) == most:
                return ActionResult({"events": found, "nextToken": str(seq)})
        return ActionResult({"events": found})

    def _rows(self, name: str, stream: str | None, after: int) -> list[tuple[Any, ...]]:
        return self.cloud.ledger.query(
            "SELECT seq, stream, time, message FROM log_events WHERE log_group = ? AND seq > ?"
            " AND (? IS NULL OR stream = ?) ORDER BY seq",
            (self._key(name), after, stream, stream),
        )

    def _found(self, name: str) -> dict[str, Any]:
        group = self.cloud.ledger.get(_GROUP, self._key(name))
        if group is None:
            raise ApiError("ResourceNotFoundException", "The specified log group does not exist.")
        return group

    def _key(self, name: str) -> str:
        return f"{self.account}/{self.region}/{name}"


class LogGroupProvider:
    """`AWS::Logs::LogGroup`."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud

    def replaces(self, request: ResourceRequest, current: Resource) -> bool:
        """A new name is a new group."""
        name = request.properties.get("LogGroupName")
        return bool(name != current.properties.get("LogGroupName"))

    def create(self, request: ResourceRequest) -> Resource:
        """See `Provider.create`."""
        return self._put(
            request, request.properties.get("LogGroupName") or request.generated_name(512)
        )

    def update(self, request: ResourceRequest, current: Resource) -> Resource:
        """See `Provider.update`."""
        return self._put(request, current.physical_id)

    def delete(self, request: ResourceRequest, current: Resource) -> None:
        """See `Provider.delete`."""
        self._cloud.logs.delete_group(request.account, request.region, current.physical_id)

    def _put(self, request: ResourceRequest, name: str) -> Resource:
        group = self._cloud.logs.create_group(request.account, request.region, name)
        if "RetentionInDays" in request.properties:
            group["retentionInDays"] = int(request.properties["RetentionInDays"])
            self._cloud.ledger.put(_GROUP, f"{request.account}/{request.region}/{name}", group)
        return Resource(name, {"Arn": f"{group['arn']}"}, request.properties)


class Logs:
    """See `localcloud.cloud.Service`."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud
        self.apis: dict[str, type[ServiceApi]] = {"logs": LogsApi}
        self.providers: dict[str, Provider] = {"AWS::Logs::LogGroup": LogGroupProvider(cloud)}
        self._subscribers: list[Subscriber] = []
        cloud.ledger.create(_SCHEMA)

    def start(self) -> None:
        """Everything is in the ledger."""

    def stop(self) -> None:
        """Nothing runs."""

    def create_group(self, account: str, region: str, name: str) -> dict[str, Any]:
        """A group, made unless it is there."""
        key = f"{account}/{region}/{name}"
        found = self.cloud.ledger.get(_GROUP, key)
        if found is None:
            found = {
                "logGroupName": name,
                "arn": f"arn:aws:logs:{region}:{account}:log-group:{name}:*",
                "creationTime": int(self.cloud.clock.timestamp() * 1000),
            }
            self.cloud.ledger.put(_GROUP, key, found)
        return found

    def delete_group(self, account: str, region: str, name: str) -> None:
        """Forget a group and its events."""
        key = f"{account}/{region}/{name}"
        with self.cloud.ledger.transaction() as connection:
            self.cloud.ledger.delete(_GROUP, key)
            connection.execute("DELETE FROM log_events WHERE log_group = ?", (key,))

    def write(self, account: str, region: str, group: str, stream: str, lines: Lines) -> None:
        """Append lines (cloud time in seconds, text); durable when this returns."""
        self.create_group(account, region, group)
        key = f"{account}/{region}/{group}"
        with self.cloud.ledger.transaction() as connection:
            connection.executemany(
                "INSERT INTO log_events (log_group, stream, time, message) VALUES (?, ?, ?, ?)",
                [(key, stream, time, text) for time, text in lines],
            )
        for subscriber in self._subscribers:
            subscriber(account, region, group, stream, lines)

    def subscribe(self, subscriber: Subscriber) -> None:
        """Be called with whatever is written, in order of each stream."""
        self._subscribers.append(subscriber)
