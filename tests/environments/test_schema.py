from __future__ import annotations

import re
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from environments.schema import NAMES, EnvironmentFileError, load, load_all, load_home

SAMPLE = Path(__file__).parent / "sample"
"""A copy of earlier files: a change of an environment must not fail their tests."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    copy = tmp_path / "environments"
    shutil.copytree(SAMPLE, copy)
    return copy


def test_our_own_files_are_valid() -> None:
    assert tuple(load_all()) == NAMES
    assert load_home().repository.count("/") == 1


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        (
            "memory_mb = 1024",
            "memory_mb = 64",
            "function.memory_mb: found 64; input should be greater than or equal to 128",
        ),
        (
            "memory_mb = 1024",
            'memory_mb = "1 GB"',
            "function.memory_mb: found '1 GB'; input should be a valid integer",
        ),
        (
            "log_retention_days = 90",
            "log_retention_days = 91",
            "function.log_retention_days: found 91; input should be 1, 3, 5, 7, 14, 30, 60, 90, ",
        ),
        (
            "timeout_seconds = 15",
            "timeout_seconds = 30",
            "function.timeout_seconds: found 30; input should be less than or equal to 29",
        ),
        (
            'account = "444444444444"',
            "account = 444444444444",
            "account: found 444444444444; input should be a valid string",
        ),
        (
            'account = "444444444444"',
            'account = "4444"',
            r"account: found '4444'; string should match pattern '^\d{12}$'",
        ),
        ('region = "eu-west-1"', 'region = "Ireland"', "region: found 'Ireland'; string should"),
        (
            "percent = 10\n",
            "percentage = 10\n",
            "shift.percent: nothing found; the key is required (and look at shift.percentage)",
        ),
        (
            "minutes = 8\n",
            "minutes = 1\n",
            "shift.minutes: found 1; input should be greater than or equal to 2",
        ),
        (
            "bake_minutes = 4",
            "bake_minutes = 3",
            "shift.bake_minutes: found 3; input should be greater than or equal to 4",
        ),
        (
            "bake_minutes = 4",
            "bake_minutes = 51",
            "shift.bake_minutes: found 51; input should be less than or equal to 50",
        ),
        (
            "false_rollback_rate = 0.01",
            "false_rollback_rate = 1.0",
            "judge.false_rollback_rate: found 1.0; input should be less than or equal to 0.2",
        ),
        (
            "harmful = 2.0",
            "harmful = 1.1\nharmless = 1.0",
            "judge.harmless: found 1.0; no such key is allowed here",
        ),
        (
            "tolerance = 1.0",
            "tolerance = 2.0",
            "judge: found harmful 2; it must be above tolerance, 2",
        ),
        (
            'undecided = "promote"',
            'undecided = "ask"',
            "judge.undecided: found 'ask'; input should be 'promote' or 'rollback'",
        ),
        (
            "every_minutes = 1",
            "every_minutes = 2",
            "synthetic.every_minutes: found 2; the bake's 4 minutes must be longer than 3 times",
        ),
        (
            "seconds = 20",
            "seconds = 60",
            "synthetic.seconds: found 60; input should be less than or equal to 45",
        ),
        (
            "[judge]",
            "[jury]",
            "jury: found {'false_rollback_rate': 0.01, 'tolerance': 1.0, ",
        ),
        (
            'type = "canary"\npercent = 10\nminutes = 8\n'
            "# Watched for this long after all traffic is on the new version.\n"
            "bake_minutes = 4\n",
            'type = "all-at-once"\n',
            "judge: found a table; a shift all at once has no canary to judge",
        ),
        (
            'owner = "files-team"',
            'owner = "files-team"\nowners = "x"',
            "owners: found 'x'; no such key is allowed here",
        ),
        (
            'type = "canary"',
            'type = "yolo"',
            "shift.type: found 'yolo'; allowed are 'all-at-once', 'canary', 'linear'",
        ),
        ('type = "canary"\n', "", "shift.type: nothing found; the key is required"),
        (
            "max_failure_share = 0.1",
            "max_failure_share = 5",
            "guard.max_failure_share: found 5; input should be less than 1",
        ),
        (
            'cost-centre = "files"',
            'environment = "files"',
            "tags: found 'environment'; owner, environment and aws:… are set already",
        ),
        (
            'cost-centre = "files"',
            'cost-centre = "files; and more"',
            "tags: found 'files; and more'; a tag has letters, digits, spaces and ",
        ),
        (
            "[guard]",
            "[[freeze]]\nfrom = 2026-12-23T00:00:00\nuntil = 2027-01-02T00:00:00Z\n"
            'reason = "the holidays"\n[guard]',
            "freeze.0.from: found datetime.datetime(2026, 12, 23, 0, 0); "
            "input should have timezone info",
        ),
        (
            "[guard]",
            "[[freeze]]\nfrom = 2027-01-02T00:00:00Z\nuntil = 2026-12-23T00:00:00Z\n"
            'reason = "the holidays"\n[guard]',
            "freeze.0: found until 2026-12-23 00:00:00+00:00; it must be after from, ",
        ),
        ('region = "eu-west-1"', "region = ", "invalid TOML: "),
        ('owner = "files-team"', 'owner = "\udcff"', "invalid TOML: 'utf-8' codec can't decode"),
    ],
)
def test_an_invalid_file_is_an_error_of_one_sentence(
    folder: Path, old: str, new: str, sentence: str
) -> None:
    path = folder / "prod.toml"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1), errors="surrogateescape")
    with pytest.raises(EnvironmentFileError) as refused:
        load_all(folder)
    assert str(refused.value).startswith(f"environments/prod.toml: {sentence}")
    assert "\n" not in str(refused.value)


def test_a_canary_without_a_judge_is_refused(folder: Path) -> None:
    path = folder / "prod.toml"
    before, _, rest = path.read_text().partition("[judge]\n")
    path.write_text(before + "[guard]" + rest.partition("[guard]")[2])
    with pytest.raises(EnvironmentFileError, match="judge: nothing found; a canary shift needs"):
        load_all(folder)


@pytest.mark.parametrize(
    ("name", "why"),
    [("staging", "a table with the synthetic gate's"), ("prod", "the bake of a canary shift wa")],
)
def test_journeys_are_required_if_a_gate_or_a_bake_uses_them(
    folder: Path, name: str, why: str
) -> None:
    path = folder / f"{name}.toml"
    path.write_text(re.sub(r"\[synthetic\]\n(\w+ = \d+\n)+", "", path.read_text()))
    with pytest.raises(EnvironmentFileError, match=f"synthetic: nothing found; {why}"):
        load_all(folder)


@pytest.mark.parametrize(
    ("name", "table", "other"), [("staging", "load", "prod"), ("dev", "dynamic", "staging")]
)
def test_each_gate_must_be_in_exactly_one_environment(
    folder: Path, name: str, table: str, other: str
) -> None:
    path = folder / f"{name}.toml"
    text, _, gate = path.read_text().partition(f"[{table}]\n")
    path.write_text(text)
    with pytest.raises(EnvironmentFileError, match=rf"{name}\.toml: {table}: nothing found; a tab"):
        load_all(folder)
    path.write_text(f"{text}[{table}]\n{gate}")
    elsewhere = folder / f"{other}.toml"
    elsewhere.write_text(f"{elsewhere.read_text()}[{table}]\n{gate}")
    with pytest.raises(EnvironmentFileError, match=rf"{other}\.toml: {table}: found a table; only"):
        load_all(folder)


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        (
            "users = 10\n",
            "users = 9\n",
            "load: found 9 users; 40 requests a second that take 250 ms keep 10 busy",
        ),
        ("seconds = 4\n", "seconds = 2\n", "load: found 80 requests (requests_per_second times"),
        (
            "min_throughput = 36",
            "min_throughput = 41",
            "load: found min_throughput 41; no more than requests_per_second, 40, can be",
        ),
        (
            "max_p50_ms = 100",
            "max_p50_ms = 300",
            "load: found p50, p95 and p99 of 300, 250 and 1000 ms; none can be less than the one",
        ),
        ("users = 10\n", "users = 10\nworkers = 11\n", "load: found 11 workers; each needs a user"),
        (
            "[load.comparison]",
            "[load.comparisons]",
            "load.comparison: nothing found; the key is required (and look at load.comparisons)",
        ),
        (
            "false_alarm_share = 0.01",
            "false_alarm_share = 0.5",
            "load.comparison.false_alarm_share: found 0.5; input should be less than or equal to",
        ),
    ],
)
def test_a_load_that_cannot_be_measured_is_refused(
    folder: Path, old: str, new: str, sentence: str
) -> None:
    path = folder / "staging.toml"
    before, _, table = path.read_text().partition("[load]\n")
    assert old in table
    path.write_text(f"{before}[load]\n{table.replace(old, new, 1)}")
    with pytest.raises(EnvironmentFileError) as refused:
        load_all(folder)
    assert str(refused.value).startswith(f"environments/staging.toml: {sentence}")


def test_rolling_back_undecided_releases_needs_time_for_a_verdict(folder: Path) -> None:
    path = folder / "prod.toml"
    policy = path.read_text().replace('undecided = "promote"', 'undecided = "rollback"')
    path.write_text(policy)
    assert load("prod", folder).judge
    path.write_text(policy.replace("\nminutes = 8", "\nminutes = 7"))
    with pytest.raises(EnvironmentFileError, match=r"shift\.minutes: found 7 minutes in all; wh"):
        load("prod", folder)
    linear = policy.replace('type = "canary"', 'type = "linear"').replace(
        "percent = 10", "percent = 50"
    )
    path.write_text(linear.replace("\nminutes = 8", "\nminutes = 7"))
    with pytest.raises(EnvironmentFileError, match=r"shift\.minutes: found 7 minutes in all"):
        load("prod", folder)
    path.write_text(
        linear.replace("percent = 50", "percent = 30").replace("\nminutes = 8", "\nminutes = 3")
    )
    assert load("prod", folder).judge


def test_only_prod_can_be_frozen(folder: Path) -> None:
    path = folder / "dev.toml"
    path.write_text(
        path.read_text() + "[[freeze]]\nfrom = 2026-12-23T00:00:00Z\n"
        'until = 2027-01-02T00:00:00Z\nreason = "the holidays"\n'
    )
    with pytest.raises(EnvironmentFileError, match=r"dev\.toml: freeze: found a table; only prod"):
        load_all(folder)


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        (
            'repository = "acme/pithead"',
            'repository = "pithead"',
            "pyproject.toml: tool.pithead.repository: found 'pithead'; string should match",
        ),
        (
            "[tool.pithead]",
            "[tool.pitheads]",
            "pyproject.toml: tool.pithead.account: nothing found; the key is required (and look "
            "at tool.pithead.branch, ",
        ),
    ],
)
def test_an_invalid_home_is_an_error_of_one_sentence(
    tmp_path: Path, old: str, new: str, sentence: str
) -> None:
    text = SAMPLE.with_name("home.toml").read_text()
    assert old in text
    (tmp_path / "pyproject.toml").write_text(text.replace(old, new, 1))
    with pytest.raises(EnvironmentFileError) as refused:
        load_home(tmp_path)
    assert str(refused.value).startswith(sentence)


def test_each_resource_is_tagged_with_all_of_the_file() -> None:
    assert load("prod", SAMPLE).every_tag("prod") == {
        "cost-centre": "files",
        "data-class": "internal",
        "environment": "prod",
        "owner": "files-team",
    }


def test_a_missing_file_is_named(folder: Path) -> None:
    (folder / "dev.toml").unlink()
    with pytest.raises(EnvironmentFileError, match=r"environments/dev\.toml: the file is missing"):
        load_all(folder)


def test_a_freeze_lasts_from_its_start_until_its_end(folder: Path) -> None:
    path = folder / "prod.toml"
    path.write_text(
        path.read_text()
        + "\n[[freeze]]\nfrom = 2026-12-23T00:00:00Z\nuntil = 2027-01-02T00:00:00Z\n"
        'reason = "the holidays"\n'
    )
    environment = load("prod", folder)
    start = datetime(2026, 12, 23, tzinfo=UTC)
    assert environment.frozen_at(start - timedelta(seconds=1)) is None
    assert environment.frozen_at(start) is environment.freeze[0]
    assert environment.frozen_at(datetime(2027, 1, 2, tzinfo=UTC)) is None
