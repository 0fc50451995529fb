from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from localcloud.eventbridge.expressions import Cron, ExpressionError, Rate, parse

START = datetime(2026, 1, 1, tzinfo=UTC)


def first(text: str, after: str, zone: str = "UTC") -> str | None:
    """Return the first due time after another, both in local time of a zone."""
    place = ZoneInfo(zone)
    due = parse(text, 0.0, place).after(
        datetime.fromisoformat(after).replace(tzinfo=place).timestamp()
    )
    return None if due is None else datetime.fromtimestamp(due, place).strftime("%Y-%m-%d %H:%M")


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        # The user guide's examples, from noon of Sunday, 1 March 2026.
        ("cron(0 10 * * ? *)", "2026-03-02 10:00"),
        ("cron(15 12 * * ? *)", "2026-03-01 12:15"),
        ("cron(0 18 ? * MON-FRI *)", "2026-03-02 18:00"),
        ("cron(0 8 1 * ? *)", "2026-04-01 08:00"),
        ("cron(0/15 * * * ? *)", "2026-03-01 12:15"),
        ("cron(0/10 * ? * MON-FRI *)", "2026-03-02 00:00"),
        ("cron(0/5 8-17 ? * 2-6 *)", "2026-03-02 08:00"),
        ("cron(0/30 20-2 ? * MON-FRI *)", None),
        ("cron(0 9 ? * 2#1 *)", "2026-03-02 09:00"),
        ("cron(0 9 ? * 7L *)", "2026-03-28 09:00"),
        ("cron(0 9 ? * L *)", "2026-03-07 09:00"),
        ("cron(0 9 L * ? *)", "2026-03-31 09:00"),
        ("cron(0 9 15W 8 ? *)", "2026-08-14 09:00"),
        ("cron(0 9 16W 8 ? *)", "2026-08-17 09:00"),
        ("cron(0 9 1W 8 ? *)", "2026-08-03 09:00"),
        ("cron(0 9 LW 5 ? *)", "2026-05-29 09:00"),
        ("cron(0 0 29 2 ? *)", "2028-02-29 00:00"),
        ("cron(0 0 31 4 ? *)", "never"),
        ("cron(30 6 ? JAN,JUL tue 2027)", "2027-01-05 06:30"),
        ("cron(0 0 1 1 ? 2020)", "never"),
    ],
)
def test_the_cron_examples_of_the_user_guide(expression: str, expected: str | None) -> None:
    if expected is None:
        with pytest.raises(ExpressionError):
            parse(expression)
    else:
        assert (first(expression, "2026-03-01T12:00:00") or "never") == expected


@pytest.mark.parametrize(
    "text",
    [
        "cron(0 10 * * * *)",
        "cron(0 10 ? * ? *)",
        "cron(0 10 1 * ?)",
        "cron(60 10 * * ? *)",
        "cron(0 24 * * ? *)",
        "cron(0 0 0 * ? *)",
        "cron(0 0 ? * 8 *)",
        "cron(0 0 ? * MON#6 *)",
        "cron(0/0 0 * * ? *)",
        "cron(a 0 * * ? *)",
        "cron(0 0 * * ? 2200)",
        "rate(0 minutes)",
        "rate(1 minutes)",
        "rate(5 minute)",
        "rate(5 seconds)",
        "rate(-1 minutes)",
        "at(2026-01-01T00:00:00)",
        "every(5 minutes)",
        "",
    ],
)
def test_invalid_expressions_are_rejected(text: str) -> None:
    with pytest.raises(ExpressionError):
        parse(text)


FIELD = st.one_of(
    st.just("*"),
    st.integers(0, 11).map(str),
    st.tuples(st.integers(0, 5), st.integers(6, 11)).map(lambda ends: f"{ends[0]}-{ends[1]}"),
    st.tuples(st.integers(0, 11), st.integers(1, 30)).map(lambda step: f"{step[0]}/{step[1]}"),
    st.lists(st.integers(0, 11), min_size=1, max_size=3).map(lambda each: ",".join(map(str, each))),
)


def allowed(text: str, high: int) -> set[int]:
    if text == "*":
        return set(range(high + 1))
    if "/" in text:
        begin, step = map(int, text.split("/"))
        return set(range(begin, high + 1, step))
    if "-" in text:
        begin, end = map(int, text.split("-"))
        return set(range(begin, end + 1))
    return {int(each) for each in text.split(",")}


@given(FIELD, FIELD, st.sets(st.integers(1, 7), min_size=1), st.integers(0, 60 * 24 * 800))
def test_cron_is_due_at_the_first_minute_its_fields_allow(
    minutes: str, hours: str, weekdays: set[int], offset: int
) -> None:
    days = ",".join(map(str, sorted(weekdays)))
    start = START + timedelta(minutes=offset)
    due = Cron(f"{minutes} {hours} ? * {days} *").after(start.timestamp())
    moment = start
    while True:
        moment += timedelta(minutes=1)
        if moment.isoweekday() % 7 + 1 not in weekdays or moment.hour not in allowed(hours, 23):
            # Nothing before the next hour.
            moment = moment.replace(minute=59)
        elif moment.minute in allowed(minutes, 59):
            break
    assert due == moment.timestamp()


@given(
    st.integers(1, 10_000), st.sampled_from(["minute", "hour", "day"]),
    st.floats(0, 2e9), st.floats(0, 2e9),
)  # fmt: skip
def test_a_rate_counts_from_its_origin(number: int, unit: str, origin: float, after: float) -> None:
    plural = "" if number == 1 else "s"
    rate = parse(f"rate({number} {unit}{plural})", origin)
    assert isinstance(rate, Rate)
    due = rate.after(after)
    assert due > after
    assert due > origin
    periods = (due - origin) / rate.seconds
    assert periods == pytest.approx(round(periods), abs=1e-3)
    assert due - rate.seconds <= max(after, origin) + 1e-3


def test_at_is_due_once() -> None:
    assert first("at(2026-07-01T09:30:00)", "2026-07-01T09:00:00", "Europe/Rome") == (
        "2026-07-01 09:30"
    )
    assert first("at(2026-07-01T09:30:00)", "2026-07-01T09:30:00", "Europe/Rome") is None


def test_daylight_saving_neither_skips_nor_repeats_a_day() -> None:
    # On 29 March 2026 Rome has no 02:30, on 25 October it has two.
    daily = "cron(30 2 * * ? *)"
    assert first(daily, "2026-03-28T12:00:00", "Europe/Rome") == "2026-03-30 02:30"
    place = ZoneInfo("Europe/Rome")
    cron = Cron("30 2 * * ? *", place)
    once = cron.after(datetime(2026, 10, 24, 12, tzinfo=place).timestamp())
    assert once is not None
    assert datetime.fromtimestamp(once, place).day == 25
    then = cron.after(once)
    assert then is not None
    assert datetime.fromtimestamp(then, place).day == 26
