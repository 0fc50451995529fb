"""CloudWatch Logs: what every other service writes to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from localcloud.iam.actions.call import Needed
from localcloud.logs.api import LogsApi
from localcloud.logs.events import Events
from localcloud.logs.providers import LogGroupProvider, LogStreamProvider, RefusedProvider
from localcloud.logs.resource_policies import ResourcePolicies, ResourcePolicyProvider

if TYPE_CHECKING:
    from collections.abc import Callable

    from localcloud.cloud import Cloud
    from localcloud.core.credentials import Session
    from localcloud.core.providers import Provider
    from localcloud.core.service_api import ServiceApi
    from localcloud.iam.access import Refusal
    from localcloud.logs.events import Lines

    Subscriber = Callable[[str, str, str, str, Lines], None]


class Logs:
    """See `localcloud.cloud.Service`."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud
        self.apis: dict[str, type[ServiceApi]] = {"logs": LogsApi}
        self.providers: dict[str, Provider] = {
            "AWS::Logs::LogGroup": LogGroupProvider(cloud),
            "AWS::Logs::LogStream": LogStreamProvider(cloud),
            "AWS::Logs::ResourcePolicy": ResourcePolicyProvider(cloud),
            "AWS::Logs::MetricFilter": RefusedProvider(),
            "AWS::Logs::SubscriptionFilter": RefusedProvider(),
        }
        self.events = Events(cloud.ledger, cloud.clock, cloud.delays)
        self.resource_policies = ResourcePolicies(cloud.ledger, cloud.clock)
        self._subscribers: list[Subscriber] = []

    def start(self) -> None:
        """Everything is in the ledger."""

    def stop(self) -> None:
        """Nothing runs."""

    def create_group(self, account: str, region: str, name: str) -> dict[str, Any]:
        """A group, made unless it is there."""
        key = f"{account}/{region}/{name}"
        found = self.events.group(key)
        if found is None:
            arn = f"arn:aws:logs:{region}:{account}:log-group:{name}"
            found = {
                "logGroupName": name,
                "arn": f"{arn}:*",
                "logGroupArn": arn,
                "creationTime": int(self.cloud.clock.timestamp() * 1000),
                "logGroupClass": "STANDARD",
                "metricFilterCount": 0,
                "storedBytes": 0,
            }
            self.events.put_group(key, found)
        return found

    def delete_group(self, account: str, region: str, name: str) -> None:
        """Forget a group and its events."""
        self.events.delete_group(f"{account}/{region}/{name}")

    def write(self, account: str, region: str, group: str, stream: str, lines: Lines) -> None:
        """Append lines (cloud time in seconds, text); durable when this returns.

        The group and the stream are made unless they are there.
        """
        self.create_group(account, region, group)
        self.events.write(f"{account}/{region}/{group}", stream, lines)
        for subscriber in self._subscribers:
            subscriber(account, region, group, stream, lines)

    def deliver(
        self, role: Session, region: str, group: str, stream: str, lines: Lines
    ) -> Refusal | None:
        """Append lines as a service does with a role of the group's account.

        Returns why the role may not; nothing is written then.
        """
        wanted = self.needed(role.account, region, group, stream)
        refused = self.cloud.access.own_call(role, region, *wanted)
        if refused is None:
            self.write(role.account, region, group, stream, lines)
        return refused

    def needed(
        self, account: str, region: str, group: str, stream: str, *, events: bool = True
    ) -> list[Needed]:
        """What it needs to make the group and the stream if absent and to write `events`."""
        wanted = []
        key = f"{account}/{region}/{group}"
        streams = f"arn:aws:logs:{region}:{account}:log-group:{group}:log-stream:"
        if self.events.group(key) is None:
            wanted.append(Needed("logs:CreateLogGroup", streams))
        if not self.events.has_stream(key, stream):
            wanted.append(Needed("logs:CreateLogStream", streams + stream))
        if events:
            wanted.append(Needed("logs:PutLogEvents", streams + stream))
        return wanted

    def subscribe(self, subscriber: Subscriber) -> None:
        """Be called with account, region, group, stream and lines of whatever is written."""
        self._subscribers.append(subscriber)
