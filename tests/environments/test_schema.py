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
            "environments/prod.toml: function.memory_mb: found 64; "
            "input should be greater than or equal to 128",
        ),
        (
            "memory_mb = 1024",
            'memory_mb = "1 GB"',
            "environments/prod.toml: function.memory_mb: found '1 GB'; "
            "input should be a valid integer",
        ),
        (
            "percent = 10",
            "percentage = 10",
            "environments/prod.toml: shift.percent: nothing found; the key is required",
        ),
        (
            'owner = "files-team"',
            'owner = "files-team"\nowners = "x"',
            "environments/prod.toml: owners: found 'x'; no such key is allowed here",
        ),
        (
            'type = "canary"',
            'type = "yolo"',
            "environments/prod.toml: shift: found",
        ),
        ('region = "eu-west-1"', "region = ", "environments/prod.toml: no valid TOML: "),
    ],
)
def test_a_wrong_file_is_told_in_one_sentence(
    folder: Path, old: str, new: str, sentence: str
) -> None:
    path = folder / "prod.toml"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    with pytest.raises(EnvironmentFileError) as refused:
        load_all(folder)
    assert str(refused.value).startswith(sentence)
    assert "\n" not in str(refused.value)


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
