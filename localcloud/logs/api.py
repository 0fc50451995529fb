"""The CloudWatch Logs API."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from moto.core.responses import ActionResult, EmptyResult

from localcloud.core.service_api import ApiError
from localcloud.logs.group_operations import GroupOperations
from localcloud.logs.patterns import PatternError, matcher

if TYPE_CHECKING:
    from collections.abc import Sequence

    from localcloud.logs.events import Event, Place, Stream

_MAX_EVENTS_PER_PAGE = 10_000  # events
_MAX_SCANNED_EVENTS = 100_000  # events that one request reads at most
_MAX_BATCH_EVENTS = 10_000
_MAX_BATCH_BYTES = 1_048_576
_EVENT_OVERHEAD_BYTES = 26
_NO_STREAM = "The specified log stream does not exist."


class LogsApi(GroupOperations):
    """Operations on log streams and events, and those of its bases."""

    def create_log_stream(self) -> ActionResult:
        """Create a log stream."""
        key, _ = self._group()
        name = self.params["logStreamName"]
        if self._stream(key, name):
            raise ApiError(
                "ResourceAlreadyExistsException", "The specified log stream already exists"
            )
        self._events.make_stream(key, name)
        return EmptyResult()

    def delete_log_stream(self) -> ActionResult:
        """Delete a log stream with its events."""
        key, _ = self._group()
        self._events.delete_stream(key, self._found_stream(key).name)
        return EmptyResult()

    def describe_log_streams(self) -> ActionResult:
        """Return a log group's streams, sorted by name or by their last event."""
        key, group = self._group()
        found = self._events.streams(key, self.params.get("logStreamNamePrefix") or "")
        if self.params.get("orderBy") == "LastEventTime":
            found.sort(key=lambda stream: (stream.last or 0, stream.name))
        if self.params.get("descending"):
            found.reverse()
        return self._page("logStreams", [_shown_stream(group["logGroupArn"], s) for s in found])

    def put_log_events(self) -> ActionResult:
        """Write a client's events, whose times are of the wall clock."""
        key, group = self._group()
        stream = self._found_stream(key).name
        clock = self.service.core.clock
        _check_batch(self.params["logEvents"])
        lines = [
            (clock.of_wall(each["timestamp"] / 1000), each["message"])
            for each in self.params["logEvents"]
        ]
        name = group["logGroupName"]
        self.service.encryption.check(group)
        self.service.write(self.account, self.region, name, stream, lines)
        return ActionResult({"nextSequenceToken": "0"})

    def get_log_events(self) -> ActionResult:
        """Return a page of a stream; at the end, return the request's token again."""
        key, group = self._group()
        self.service.encryption.check(group)
        stream = self._found_stream(key).name
        most = min(int(self.params.get("limit") or _MAX_EVENTS_PER_PAGE), _MAX_EVENTS_PER_PAGE)
        token = self.params.get("nextToken") or ""
        direction, place = _place(token) if token else ("", None)
        if direction == "f" or (not direction and self.params.get("startFromHead")):
            events = self._read(key, [stream], most, after=place)
        else:
            events = self._read(key, [stream], most, before=place, newest_first=True)[::-1]
        first = events[0].place if events else place or (0.0, 0)
        last = events[-1].place if events else place or (0.0, 0)
        return ActionResult(
            {
                "events": [_shown(event) for event in events],
                "nextForwardToken": f"f/{last[1]}/{last[0]!r}",
                "nextBackwardToken": f"b/{first[1]}/{first[0]!r}",
            }
        )

    def filter_log_events(self) -> ActionResult:
        """Return a log group's events that match a pattern, sorted by time."""
        key, group = self._group()
        self.service.encryption.check(group)
        try:
            matches = matcher(self.params.get("filterPattern") or "")
        except PatternError as error:
            raise ApiError("InvalidParameterException", str(error)) from error
        names = self._searched(key)
        most = min(int(self.params.get("limit") or _MAX_EVENTS_PER_PAGE), _MAX_EVENTS_PER_PAGE)
        token = self.params.get("nextToken")
        # A sequence number below all others, to include events at exactly this time.
        place: Place | None = ((self.params.get("startTime") or 0) / 1000, 0)
        if token:
            _, place = _place(token)
        end = self.params.get("endTime")
        before = ((end + 1) / 1000, 0) if end is not None else None
        found: list[Event] = []
        more = False
        while names:
            page = self._read(key, names, _MAX_SCANNED_EVENTS, after=place, before=before)
            for event in page:
                place = event.place
                if matches(event.message):
                    found.append(event)
                if len(found) == most:
                    more = True
                    break
            if more or len(page) < _MAX_SCANNED_EVENTS:
                break
        answer: dict[str, Any] = {
            "events": [
                _shown(event) | {"logStreamName": event.stream, "eventId": f"{event.place[1]:056d}"}
                for event in found
            ],
            "searchedLogStreams": [],
        }
        if more and place:
            answer["nextToken"] = f"f/{place[1]}/{place[0]!r}"
        return ActionResult(answer)

    def _searched(self, key: str) -> list[str]:
        wanted = self.params.get("logStreamNames")
        there = self._events.streams(key, self.params.get("logStreamNamePrefix") or "")
        names = [stream.name for stream in there]
        if wanted is None:
            return names
        if not set(wanted) & set(names):
            raise ApiError("ResourceNotFoundException", _NO_STREAM)
        return [name for name in names if name in set(wanted)]

    def _read(self, key: str, streams: list[str], most: int, **which: Any) -> list[Event]:
        return self._events.read(key, streams, most=most, **which)

    def _stream(self, key: str, name: str) -> Stream | None:
        return next((each for each in self._events.streams(key, name) if each.name == name), None)

    def _found_stream(self, key: str) -> Stream:
        found = self._stream(key, self.params["logStreamName"])
        if found is None:
            raise ApiError("ResourceNotFoundException", _NO_STREAM)
        return found


def _check_batch(events: Sequence[Any]) -> None:
    """Check a batch against the limits of "PutLogEvents" in the API reference.

    Raises:
        ApiError: it has too many events or too many bytes.
    """
    if len(events) > _MAX_BATCH_EVENTS:
        raise ApiError(
            "InvalidParameterException",
            "1 validation error detected: Value at 'logEvents' failed to satisfy constraint: "
            f"Member must have length less than or equal to {_MAX_BATCH_EVENTS}",
        )
    sizes = [len(each["message"].encode()) + _EVENT_OVERHEAD_BYTES for each in events]
    if sum(sizes) > _MAX_BATCH_BYTES:
        raise ApiError(
            "InvalidParameterException",
            f"Upload too large: {sum(sizes)} bytes exceeds limit of {_MAX_BATCH_BYTES}",
        )


def _place(token: str) -> tuple[str, Place]:
    try:
        direction, seq, time = token.split("/")
        return direction, (float(time), int(seq))
    except ValueError as error:
        raise ApiError(
            "InvalidParameterException", "The specified nextToken is invalid."
        ) from error


def _shown(event: Event) -> dict[str, Any]:
    return {
        "timestamp": event.milliseconds,
        "ingestionTime": event.milliseconds,
        "message": event.message,
    }


def _shown_stream(group_arn: str, stream: Stream) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "logStreamName": stream.name,
        "creationTime": int(stream.created * 1000),
        "arn": f"{group_arn}:log-stream:{stream.name}",
        "storedBytes": 0,
    }
    if stream.first is not None and stream.last is not None:
        shown |= {
            "firstEventTimestamp": int(stream.first * 1000),
            "lastEventTimestamp": int(stream.last * 1000),
            "lastIngestionTime": int(stream.last * 1000),
        }
    return shown
