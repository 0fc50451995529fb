"""The platform knows a service only by its name, and no part of the files API."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pipeline import service
from service.delivery.name import NAME

ROOT = Path(__file__).parents[2]
_ROUTES = ("files",)
"""The first parts of the API's paths."""
_NAMED = re.compile(
    rf"""
    (?<![\w./])/({"|".join(_ROUTES)})\b              # a path of its API
    | \b{NAME}-\w | (?<!ls)-{NAME}\b                  # a name made of the service's, as files-prod
    | (?i:\b{NAME}\ api\b) | (?i:\b(the|a)\ {NAME}\ (service|customer))
    | ["']service["']\ ?[:=]\ ?["']{NAME}["']         # a dimension, a field of a record
    | SERVICE(_NAME)?\ ?=\ ?["']
    | \b(from|import)\ service\.(?!delivery\.name\b)  # a part that a service may not have
    """,
    re.VERBOSE,
)
_OF_THE_TEAM = re.compile(r'(owner|cost-centre) = "[\w-]+"')
"""Keys of an environment file about the team that owns the service."""


def _lines() -> list[str]:
    """Return the platform's lines of code and settings, each with its place."""
    return [
        f"{path.relative_to(ROOT)}:{number}: {line}"
        for folder in ("pipeline", "console", "environments", "localcloud")
        for path in sorted((ROOT / folder).rglob("*"))
        if path.suffix in {".py", ".toml", ".yaml", ".html", ".js"}
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if not _OF_THE_TEAM.fullmatch(line)
    ]


def test_the_platform_does_not_name_the_service() -> None:
    assert [line for line in _lines() if _NAMED.search(line.partition(": ")[2])] == []


@pytest.mark.parametrize(
    "line",
    [
        'self._send("GET", "/files/a.txt")',
        '"Pithead/*/files-prod/Role/*"',
        'STACK = "prod-files"',
        '"""The files API."""',
        'dimensions = {"service": "files"}',
        'SERVICE = "files"',
        "from service.delivery.journey import Customer",
    ],
)
def test_a_name_of_the_service_is_found(line: str) -> None:
    """Planted: lines from before the service was replaceable."""
    assert _NAMED.search(line)


def test_the_page_for_teams_names_each_part_of_a_service() -> None:
    page = (ROOT / "docs" / "your-service.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`((?:tests/)?service/[\w./]+)`", page))
    parts = {
        service.APP, service.DELIVERY, service.LOAD_PROFILE, service.DYNAMIC_SETTINGS,
        service.DYNAMIC_HOOKS, service.UNIT_TESTS, service.INTEGRATION_TESTS,
        *(f"{service.DELIVERY}/{each}.py"
          for each in ("name", "bundle", "resources", "reviews", "journey", "rehearsal")),
    }  # fmt: skip
    assert parts <= named
    assert all((ROOT / each).exists() for each in named)
