from __future__ import annotations

import shutil
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from environments.schema import FOLDER, NAMES, EnvironmentFileError, load, load_all, load_home

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    copy = tmp_path / "environments"
    shutil.copytree(FOLDER, copy, ignore=shutil.ignore_patterns("*.py", "__pycache__"))
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
            "minutes = 5\n",
            "minutes = 1\n",
            "shift.minutes: found 1; input should be greater than or equal to 2",
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
            "max_failure_share = 0.05",
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
        (
            "[guard]",
            "[load]\nusers = 1\nseconds = 1\nwarm_up_seconds = 0\nrequests_per_second = 1\n"
            "min_requests = 1\nmax_failure_share = 0.5\nmax_p95_ms = 1\nmax_p99_ms = 1\n[guard]",
            "load: found a table; only staging has a load gate",
        ),
        ('region = "eu-west-1"', "region = ", "no valid TOML: "),
        ('owner = "files-team"', 'owner = "\udcff"', "no valid TOML: 'utf-8' codec can't decode"),
    ],
)
def test_a_wrong_file_is_told_in_one_sentence(
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
def test_a_wrong_home_is_told_in_one_sentence(
    tmp_path: Path, old: str, new: str, sentence: str
) -> None:
    text = (FOLDER.parent / "pyproject.toml").read_text()
    assert old in text
    (tmp_path / "pyproject.toml").write_text(text.replace(old, new, 1))
    with pytest.raises(EnvironmentFileError) as refused:
        load_home(tmp_path)
    assert str(refused.value).startswith(sentence)


def test_each_resource_is_tagged_with_all_of_the_file() -> None:
    assert load("prod").every_tag("prod") == {
        "cost-centre": "files",
        "data-class": "internal",
        "environment": "prod",
        "owner": "files-team",
    }


def test_a_missing_file_is_named(folder: Path) -> None:
    (folder / "dev.toml").unlink()
    with pytest.raises(EnvironmentFileError, match=r"environments/dev\.toml: the file is missing"):
        load_all(folder)


def test_staging_cannot_lose_its_load_gate(folder: Path) -> None:
    path = folder / "staging.toml"
    path.write_text(path.read_text().split("# What a release must stand")[0])
    with pytest.raises(EnvironmentFileError, match=r"staging\.toml: load: nothing found"):
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
