"""CloudWatch Logs: the log groups that every other service writes to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from localcloud.core.service_api import ApiError
from localcloud.iam.access import Refusal
from localcloud.iam.actions import log_events
from localcloud.logs.encryption import Encryption
from localcloud.logs.events import Events
from localcloud.logs.providers import LogGroupProvider, LogStreamProvider, UnsupportedProvider
from localcloud.logs.resource_policies import ResourcePolicies, ResourcePolicyProvider

if TYPE_CHECKING:
    from localcloud.core.core import Core
    from localcloud.core.credentials import Session
    from localcloud.core.delays import Delays
    from localcloud.core.log_ports import Lines, LogSubscriber
    from localcloud.core.providers import Provider
    from localcloud.iam.access import Access


class Logs:
    """See `localcloud.core.service_api.Service`."""

    def __init__(self, core: Core, access: Access, delays: Delays) -> None:
        self.core = core
        self._access = access
        self.encryption = Encryption(access)
        self.events = Events(core.ledger, core.clock, delays)
        self.resource_policies = ResourcePolicies(core.ledger, core.clock)
        self.providers: dict[str, Provider] = {
            "AWS::Logs::LogGroup": LogGroupProvider(self.events, self.encryption),
            "AWS::Logs::LogStream": LogStreamProvider(self.events),
            "AWS::Logs::ResourcePolicy": ResourcePolicyProvider(self.resource_policies),
            "AWS::Logs::MetricFilter": UnsupportedProvider(),
            "AWS::Logs::SubscriptionFilter": UnsupportedProvider(),
        }
        self._subscribers: list[LogSubscriber] = []
        access.facts.log_policies = self.resource_policies.all

    def start(self) -> None:
        """Do nothing: the state is in the ledger."""

    def stop(self) -> None:
        """Do nothing: no thread runs."""

    def write(
        self, account: str, region: str, group: str, stream: str, lines: Lines
    ) -> Refusal | None:
        """Append lines (cloud time in seconds, text); they are in the ledger on return.

        Creates the log group and the stream if they do not exist. Returns the denial if CloudWatch
        Logs may not use the group's KMS key; then nothing is written.
        """
        try:
            self.encryption.check(self.events.create_group(account, region, group))
        except ApiError as error:
            return Refusal(error.message)
        self.events.write(f"{account}/{region}/{group}", stream, lines)
        for subscriber in self._subscribers:
            subscriber(account, region, group, stream, lines)
        return None

    def deliver(
        self, role: Session, region: str, group: str, stream: str, lines: Lines
    ) -> Refusal | None:
        """Append lines with a role of the log group's account.

        Returns the denial if the role may not write, or as `write`; then nothing is written.
        """
        wanted = log_events.write(self, role.account, region, group, stream)
        refused = self._access.own_call(role, region, *wanted)
        return refused or self.write(role.account, region, group, stream, lines)

    def has_group(self, account: str, region: str, group: str) -> bool:
        """See `LogGroups.has_group`."""
        return self.events.group(f"{account}/{region}/{group}") is not None

    def has_stream(self, account: str, region: str, group: str, stream: str) -> bool:
        """See `LogGroups.has_stream`."""
        return self.events.has_stream(f"{account}/{region}/{group}", stream)

    def subscribe(self, subscriber: LogSubscriber) -> None:
        """Call `subscriber` with account, region, group, stream and lines of each write."""
        self._subscribers.append(subscriber)
