"""The alarms of the cloud, and the events and actions of their changes of state."""

from __future__ import annotations

import json
import threading
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from localcloud.cloudwatch.alarm_rule import AlarmRule
from localcloud.cloudwatch.definition import check
from localcloud.cloudwatch.model import Alarm, DefinitionError, State, moment, stamp
from localcloud.cloudwatch.notifications import event_detail

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from localcloud.cloudwatch.actions import Actions
    from localcloud.cloudwatch.history import History
    from localcloud.cloudwatch.model import StateValue
    from localcloud.core.core import Core
    from localcloud.core.ports import Document

_KIND = "cloudwatch:alarm"
_INITIAL = "Unchecked: Initial alarm creation"


class Alarms:
    """All alarms. Reading takes no lock, because an `Alarm` is immutable."""

    def __init__(self, core: Core, history: History, actions: Actions) -> None:
        self._core = core
        self._history = history
        self._actions = actions
        self._alarms = {key: Alarm.of(document) for key, document in core.ledger.all(_KIND)}
        self._lock = threading.Lock()
        self._changes: list[tuple[Alarm, State, list[tuple[str, Document]]]] = []

    def get(self, account: str, region: str, name: str) -> Alarm | None:
        """Return the alarm with this name, or None."""
        return self._alarms.get(f"{account}/{region}/{name}")

    def of(self, account: str, region: str) -> list[Alarm]:
        """Return the account's alarms, sorted by name."""
        mine = [each for each in self.all() if (each.account, each.region) == (account, region)]
        return sorted(mine, key=lambda each: each.name)

    def all(self) -> list[Alarm]:
        """Return every alarm of the cloud."""
        return list(self._alarms.values())

    def put(
        self, account: str, region: str, definition: Document, tags: dict[str, str] | None = None
    ) -> Alarm:
        """Create an alarm, or change its definition; a change keeps its state and tags.

        Raises:
            DefinitionError: the definition is invalid.
        """
        check(definition, account)
        with self._transaction():
            now = self._core.clock.timestamp()
            before = self.get(account, region, definition["AlarmName"])
            how = "created" if before is None else "updated"
            if before is None:
                state = State("INSUFFICIENT_DATA", _INITIAL, "", now)
                alarm = Alarm(
                    account, region, definition["AlarmName"], definition, tags or {}, now, state
                )
            else:
                alarm = replace(before, definition=definition, configured=now)
                if alarm.composite != before.composite:
                    raise DefinitionError(
                        f"An alarm named {alarm.name} exists with another type. Delete it first"
                    )
            if alarm.composite:
                self._check_children(alarm)
            self._save(alarm)
            self._record_configuration(alarm, how, now)
            if alarm.composite:
                self._evaluate(alarm, f"{alarm.arn} was {how} and its alarm rule evaluates to ")
            return self._alarms[alarm.key]

    def delete(self, account: str, region: str, names: Iterable[str]) -> None:
        """Delete all of the alarms or none; keeps their history.

        Raises:
            DefinitionError: one of them does not exist, a composite alarm depends on one, or two
                of them are composite.
        """
        with self._transaction():
            found = {name: self.get(account, region, name) for name in names}
            unknown = [name for name, alarm in found.items() if alarm is None]
            if unknown:
                raise DefinitionError(f"Alarm {unknown[0]} does not exist", "ResourceNotFound")
            alarms = [alarm for alarm in found.values() if alarm is not None]
            self._check_deletion(alarms)
            for alarm in alarms:
                self._core.ledger.delete(_KIND, alarm.key)
                self._record_configuration(alarm, "deleted", self._core.clock.timestamp())
                del self._alarms[alarm.key]

    def enable_actions(self, alarm: Alarm, enabled: bool) -> None:
        """Enable or disable the actions of an alarm."""
        with self._transaction():
            definition = self._alarms[alarm.key].definition | {"ActionsEnabled": enabled}
            changed = replace(self._alarms[alarm.key], definition=definition)
            self._save(changed)
            self._record_configuration(changed, "updated", self._core.clock.timestamp())

    def tag(self, alarm: Alarm, tags: dict[str, str]) -> None:
        """Replace the tags of an alarm."""
        with self._transaction():
            self._save(replace(self._alarms[alarm.key], tags=tags))

    def set_state(self, alarm: Alarm, value: StateValue, reason: str, data: str) -> None:
        """Set an alarm's state; if it changes, publish the event and queue the actions."""
        with self._transaction():
            current = self._alarms.get(alarm.key)
            # The state belongs to an older definition: the next evaluation decides.
            if current is not None and current.definition == alarm.definition:
                self._transition(current, value, reason, data)

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        """Run one change at a time, as a transaction; then publish and queue actions."""
        with self._lock:
            changes = self._changes = []
            known = dict(self._alarms)
            try:
                with self._core.ledger.transaction():
                    yield
            except BaseException:
                self._alarms = known
                raise
        for alarm, before, actions in changes:
            self._core.bus.publish(
                alarm.account,
                alarm.region,
                "aws.cloudwatch",
                "CloudWatch Alarm State Change",
                event_detail(alarm, before),
                (alarm.arn,),
            )
            self._actions.begin(actions)

    def _transition(self, alarm: Alarm, value: StateValue, reason: str, data: str) -> None:
        before = alarm.state
        if value == before.value:
            return
        now = self._core.clock.timestamp()
        changed = replace(alarm, state=State(value, reason, data, now))
        self._save(changed)
        self._history.add(
            changed,
            now,
            "StateUpdate",
            f"Alarm updated from {before.value} to {value}",
            json.dumps(
                {
                    "version": "1.0",
                    "oldState": _state_document(before),
                    "newState": _state_document(changed.state),
                }
            ),
        )
        self._changes.append((changed, before, self._actions.record(changed, before)))
        when = moment(now).strftime("%A %d %B, %Y %H:%M:%S UTC")
        for parent in self._parents(changed):
            self._evaluate(parent, f"{changed.arn} transitioned to {value} at {when}")

    def _check_deletion(self, alarms: list[Alarm]) -> None:
        """Reject deletions that `DeleteAlarms` rejects.

        AWS does not document whether a call may delete an alarm together with the composite alarm
        that depends on it; here it may not.
        """
        if sum(alarm.composite for alarm in alarms) > 1:
            raise DefinitionError("One composite alarm can be deleted in one operation, not more")
        needed = [alarm.name for alarm in alarms if self._parents(alarm)]
        if needed:
            raise DefinitionError(
                f"Cannot delete {','.join(needed)} as there are composite alarm(s) depending on "
                f"{'it' if len(needed) == 1 else 'them'}."
            )

    def _parents(self, child: Alarm) -> list[Alarm]:
        return [
            each
            for each in self.of(child.account, child.region)
            if each.composite and child.name in AlarmRule(each.definition["AlarmRule"]).alarms
        ]

    def _evaluate(self, composite: Alarm, reason: str) -> None:
        """Set a composite alarm's state to that of its rule."""
        rule = AlarmRule(composite.definition["AlarmRule"])
        children = {
            name: self.get(composite.account, composite.region, name) for name in rule.alarms
        }
        states = {name: each.state for name, each in children.items() if each is not None}
        holds = rule.holds(lambda name: states[name].value if name in states else None)
        value: StateValue = "ALARM" if holds else "OK"
        if reason.endswith("evaluates to "):
            reason += value
        triggering = [
            {
                "arn": child.arn,
                "state": {"value": child.state.value, "timestamp": stamp(child.state.updated)},
            }
            for _, child in sorted(children.items())
            if child is not None
        ]
        data = json.dumps({"triggeringAlarms": triggering}, separators=(",", ":"))
        self._transition(composite, value, reason, data)

    def _check_children(self, composite: Alarm) -> None:
        names = AlarmRule(composite.definition["AlarmRule"]).alarms
        unknown = sorted(
            name for name in names if self.get(composite.account, composite.region, name) is None
        )
        if unknown:
            raise DefinitionError(
                f"Could not save the composite alarm as alarms [{', '.join(unknown)}] in the alarm "
                "rule do not exist"
            )
        seen: set[str] = set()
        while names:
            name = names.pop()
            if name == composite.name:
                raise DefinitionError(
                    f"Composite alarm {composite.name} would depend on itself, which is not part "
                    "of the local cloud"
                )
            child = self.get(composite.account, composite.region, name)
            if child is not None and child.composite and name not in seen:
                seen.add(name)
                names |= AlarmRule(child.definition["AlarmRule"]).alarms

    def _save(self, alarm: Alarm) -> None:
        self._core.ledger.put(_KIND, alarm.key, alarm.document())
        self._alarms[alarm.key] = alarm

    def _record_configuration(self, alarm: Alarm, how: str, time: float) -> None:
        kind = {"created": "Create", "updated": "Update", "deleted": "Delete"}[how]
        data = {"version": "1.0", "type": kind, f"{how}Alarm": alarm.definition}
        self._history.add(
            alarm, time, "ConfigurationUpdate", f'Alarm "{alarm.name}" {how}', json.dumps(data)
        )


def _state_document(state: State) -> Document:
    told: Document = {"stateValue": state.value, "stateReason": state.reason}
    return told | ({"stateReasonData": json.loads(state.data)} if state.data else {})
