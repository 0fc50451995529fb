"""Alarm history, kept for 30 days even if the alarm is deleted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from localcloud.cloudwatch.model import Alarm
    from localcloud.core.ledger import Ledger

_RETENTION_SECONDS = 30 * 86400
_SCHEMA = """
CREATE TABLE IF NOT EXISTS alarm_history (
    seq INTEGER PRIMARY KEY, account TEXT NOT NULL, region TEXT NOT NULL, alarm TEXT NOT NULL,
    type TEXT NOT NULL, time REAL NOT NULL, item_type TEXT NOT NULL, summary TEXT NOT NULL,
    data TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS by_alarm ON alarm_history (account, region, alarm, seq);
"""


@dataclass(frozen=True)
class HistoryItem:
    """A history item; `type` is the alarm's type, `time` is cloud time in seconds."""

    alarm: str
    type: str
    time: float
    item_type: str
    summary: str
    data: str


class History:
    """The history of all alarms."""

    def __init__(self, ledger: Ledger) -> None:
        ledger.create(_SCHEMA)
        self._ledger = ledger

    def add(self, alarm: Alarm, time: float, item_type: str, summary: str, data: str) -> None:
        """Write an item to the ledger, within the caller's transaction if there is one."""
        with self._ledger.transaction() as connection:
            connection.execute(
                "INSERT INTO alarm_history (account, region, alarm, type, time, item_type,"
                " summary, data) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    alarm.account,
                    alarm.region,
                    alarm.name,
                    alarm.type,
                    time,
                    item_type,
                    summary,
                    data,
                ),
            )
            connection.execute(
                "DELETE FROM alarm_history WHERE time < ?", (time - _RETENTION_SECONDS,)
            )

    def items(
        self,
        account: str,
        region: str,
        alarm: str | None,
        item_type: str | None,
        between: tuple[float, float],
    ) -> list[HistoryItem]:
        """Return the items of one alarm or of all, newest first."""
        parameters: list[Any] = [account, region, *between]
        statement = (
            "SELECT alarm, type, time, item_type, summary, data FROM alarm_history"
            " WHERE account = ? AND region = ? AND time >= ? AND time <= ?"
        )
        for column, value in (("alarm", alarm), ("item_type", item_type)):
            if value is not None:
                statement += f" AND {column} = ?"
                parameters.append(value)
        rows = self._ledger.query(f"{statement} ORDER BY seq DESC", parameters)
        return [HistoryItem(*row) for row in rows]
