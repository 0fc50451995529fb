"""The replay of a decision record: compare each result with the record's."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from console.errors import ConsoleError
from console.judge.axes import clock
from console.judge.course import Course, end
from pipeline.judge.statistics.judging import judge, line
from pipeline.judge.statistics.record import code

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from pipeline.judge.statistics.judging import Judged
    from pipeline.judge.statistics.record import Record

_TOLERANCE = 1e-9
"""Tolerance in decades: logarithms of two platforms differ in their last bits."""
_SHORT = 19  # "sha256:" and twelve digits

Answer = Literal["same", "explained", "differs"]
"""`explained` is a difference that other code explains."""


@dataclass(frozen=True)
class Check:
    """One compared result."""

    what: str
    answer: Answer
    sentence: str


@dataclass(frozen=True)
class Replay:
    """A record and its replay."""

    record: Record
    judged: Judged
    """Computed by this checkout's code from the record's counts and parameters alone."""

    @property
    def same(self) -> bool:
        """Whether nothing differs except for what another platform or other code explains."""
        return all(each.answer != "differs" for each in self.checks)

    @property
    def checks(self) -> tuple[Check, ...]:
        """The compared results, in the order of the table."""
        record, again = self.record, self.judged
        return (
            self._check("verdict", record.verdict, again.verdict, self._verdict_fault),
            self._check("decided at", _time(record.decided_at), _time(again.decided_at)),
            self._check("incident", _yes(record.incident), _yes(again.incident)),
            self._evidence(),
            self._code(),
        )

    @property
    def _same_code(self) -> bool:
        return self.record.code == code()

    @property
    def _fault(self) -> Answer:
        """The answer for a difference that other code may explain."""
        return "differs" if self._same_code else "explained"

    @property
    def _verdict_fault(self) -> Answer:
        """The answer for a verdict; code before `better` recorded `undecided`."""
        known = (self.record.verdict, self.judged.verdict) == ("undecided", "better")
        return self._fault if known else "differs"

    def _check(self, what: str, was: str, now: str, fault: Answer | None = None) -> Check:
        if was == now:
            return Check(what, "same", now)
        return Check(what, fault or self._fault, f"recorded {was}, recomputed {now}")

    def _evidence(self) -> Check:
        both = list(zip(self.record.evidence, self.judged.evidence, strict=True))
        apart = max((abs(was - now) for was, now in both), default=0.0)
        count = f"{len(both)} period{'' if len(both) == 1 else 's'}"
        if apart <= _TOLERANCE:
            near = f"within {apart:.0e}" if apart else "the same to the last bit"
            return Check("evidence", "same", f"{count}, {near}")
        wrong = [index for index, (was, now) in enumerate(both) if not abs(was - now) <= _TOLERANCE]
        was, now = both[wrong[0]]
        return Check(
            "evidence",
            self._fault,
            f"{len(wrong)} of {count} differ, first the one to "
            f"{_time(end(self.record.periods[wrong[0]]))}: recorded {was:.4f}, "
            f"recomputed {now:.4f}",
        )

    def _code(self) -> Check:
        recorded = self.record.code[:_SHORT]
        if self._same_code:
            return Check("code", "same", f"{recorded}…, this checkout's too")
        return Check(
            "code",
            "explained",
            f"judged by {recorded}…, replayed by other code, {code()[:_SHORT]}…",
        )

    @property
    def course(self) -> Course:
        """The course of the release, with the recomputed evidence.

        Raises:
            ConsoleError: there was no closed period, so there is nothing to draw.
        """
        record = self.record
        if record.outcome == "refused as condemned before":
            raise ConsoleError(
                f"{record.deployment_id} was refused before it got traffic, and there is nothing "
                "to draw; replay the deployment that its record names"
            )
        if not record.periods:
            raise ConsoleError(
                f"{record.deployment_id} has no closed period: its judge had nothing to judge, and "
                "there is nothing to draw"
            )
        alike = "the same" if self.same else "NOT the same"
        return Course(
            heading=heading(record),
            sentence=record.sentence,
            canary=record.canary,
            stable=record.stable,
            periods=tuple(sorted(record.periods, key=lambda each: each.start)),
            points=self._points(),
            line=line(record.parameters),
            notes=(
                f"Deployment {record.deployment_id}, {record.percent:g} % of traffic from "
                f"{record.began:%Y-%m-%d} {clock(record.began)} to {clock(record.shift_ends)} UTC.",
                f"Judged by code {record.code[:_SHORT]}…; replayed: {alike}.",
                f"{record.rule}.",
            ),
        )

    def _points(self) -> tuple[tuple[datetime, float], ...]:
        """Return the evidence by time; a minute that was judged late counts at that time."""
        seen = min(each.start for each in self.record.periods)
        points = [(seen, 0.0)]
        for period, evidence in zip(self.record.periods, self.judged.evidence, strict=True):
            seen = max(seen, end(period))
            points.append((seen, evidence))
        return tuple(points)


def replay_record(record: Record) -> Replay:
    """Replay a record.

    Raises:
        ConsoleError: its parameters or its counts cannot be judged.
    """
    with cannot_be_judged(record):
        judged = judge(record.parameters, record.periods, inconsistent=bool(record.discrepancies))
        return Replay(record, judged)


@contextmanager
def cannot_be_judged(record: Record) -> Iterator[None]:
    """Turn an error of the judge's code into a message that names the record."""
    try:
        yield
    except (KeyError, TypeError, ValueError) as error:
        raise ConsoleError(f"{record.deployment_id} cannot be judged: {error}") from error


def heading(record: Record) -> str:
    """Return a heading such as `files in prod: version 3 was rolled back`."""
    verb = "is" if record.outcome == "in progress" else "was"
    return (
        f"{record.service} in {record.environment}: version {record.canary} {verb} {record.outcome}"
    )


def _time(time: datetime | None) -> str:
    return f"{time:%Y-%m-%d %H:%M:%S}" if time else "never"


def _yes(incident: bool) -> str:
    return "yes" if incident else "no"
