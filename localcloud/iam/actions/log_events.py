"""Permissions to write to a log stream that may have to be created first.

Source: "CloudWatch Logs permissions reference".
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from localcloud.iam.actions.call import Needed

if TYPE_CHECKING:
    from localcloud.core.log_ports import LogGroups


def create(groups: LogGroups, account: str, region: str, group: str, stream: str) -> list[Needed]:
    """Return what it needs to create the group and the stream, if they do not exist."""
    wanted = []
    streams = _streams(account, region, group)
    if not groups.has_group(account, region, group):
        wanted.append(Needed("logs:CreateLogGroup", streams))
    if not groups.has_stream(account, region, group, stream):
        wanted.append(Needed("logs:CreateLogStream", streams + stream))
    return wanted


def write(groups: LogGroups, account: str, region: str, group: str, stream: str) -> list[Needed]:
    """Return what it needs to create the group and the stream, and to write to the stream."""
    put = Needed("logs:PutLogEvents", _streams(account, region, group) + stream)
    return [*create(groups, account, region, group, stream), put]


def _streams(account: str, region: str, group: str) -> str:
    return f"arn:aws:logs:{region}:{account}:log-group:{group}:log-stream:"
