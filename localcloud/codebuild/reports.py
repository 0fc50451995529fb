"""Test reports: store the test cases of a build's JUnit files."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET
from xml.parsers import expat

from localcloud.codebuild.files import NoFilesError, select

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from localcloud.codebuild.buildspec import Files
    from localcloud.codebuild.model import Build
    from localcloud.codebuild.store import Store

_NANOSECONDS_PER_SECOND = 1_000_000_000


class ReportError(Exception):
    """A report cannot be read or stored."""


@dataclass(frozen=True)
class Case:
    """One test case; `status` is SUCCEEDED, FAILED, ERROR, SKIPPED."""

    suite: str
    prefix: str
    name: str
    status: str
    seconds: float
    message: str


def read_junit(path: Path) -> list[Case]:
    """Read the test cases of a JUnit XML file.

    Raises:
        ReportError: the file is not JUnit XML.
    """
    try:
        root = _root(path.read_bytes())
    except expat.ExpatError as error:
        raise ReportError(f"{path.name} is not JUnit XML: {error}") from error
    if root.tag not in {"testsuites", "testsuite"}:
        raise ReportError(f"{path.name} is not JUnit XML: its root is {root.tag}")
    return [
        _case(suite.get("name", ""), case)
        for suite in root.iter("testsuite")
        for case in suite.findall("testcase")
    ]


def _root(content: bytes) -> ET.Element:
    """Parse XML and reject entities, which can expand a small file without limit."""

    def refuse(name: str, *_rest: object) -> None:
        raise ReportError(f"the report declares the entity {name}; JUnit XML needs none")

    builder = ET.TreeBuilder()
    parser = expat.ParserCreate()
    parser.EntityDeclHandler = refuse
    parser.StartElementHandler = builder.start
    parser.EndElementHandler = builder.end
    parser.CharacterDataHandler = builder.data
    parser.Parse(content, True)  # a positional-only parameter
    return builder.close()


def keep(
    store: Store,
    now: float,
    build: Build,
    source: Path,
    key: str,
    wanted: Files,
    readable: Callable[[Path], bool],
    refused: Callable[[str, str], str],
) -> str:
    """Store a report of a build and return its ARN; create its group if it is missing.

    `now` is cloud time. `refused` returns why the build's role may not perform an action on a
    resource, or "".

    Raises:
        ReportError: the group does not exist, a file is not a report, or the role may not store it.
        NoFilesError: no file matches, or no file contains a test case.
    """
    group = _group(store, now, build, key, refused)
    for action in ("CreateReport", "UpdateReport", "BatchPutTestCases"):
        if denial := refused(f"codebuild:{action}", group):
            raise ReportError(f"error creating report: AccessDeniedException: {denial}")
    files = select(source, wanted, readable).values()
    cases = [case for path in files for case in read_junit(path)]
    if not cases:
        raise NoFilesError("no test cases found in the report files")
    arn = f"{group.replace(':report-group/', ':report/')}:{uuid.uuid4()}"
    counts = {
        status: sum(each.status == status for each in cases)
        for status in ("SUCCEEDED", "FAILED", "ERROR", "SKIPPED", "UNKNOWN")
    }
    report = {
        "arn": arn,
        "type": "TEST",
        "name": key,
        "reportGroupArn": group,
        "executionId": build.arn,
        "status": "FAILED" if counts["FAILED"] or counts["ERROR"] else "SUCCEEDED",
        "created": now,
        "exportConfig": {"exportConfigType": "NO_EXPORT"},
        "truncated": False,
        "testSummary": {
            "total": len(cases),
            "statusCounts": counts,
            "durationInNanoSeconds": int(
                sum(each.seconds for each in cases) * _NANOSECONDS_PER_SECOND
            ),
        },
    }
    described = [
        {
            "reportArn": arn,
            "prefix": each.prefix,
            "name": each.name,
            "status": each.status,
            "durationInNanoSeconds": int(each.seconds * _NANOSECONDS_PER_SECOND),
            "message": each.message,
            "testSuiteName": each.suite,
        }
        for each in cases
    ]
    store.put_report(report, described)
    return arn


def make_group(store: Store, now: float, account: str, region: str, name: str) -> str:
    """Return a report group's ARN; create the group if it does not exist."""
    arn = f"arn:aws:codebuild:{region}:{account}:report-group/{name}"
    if store.group(arn) is None:
        group: dict[str, Any] = {
            "arn": arn,
            "name": name,
            "type": "TEST",
            "exportConfig": {"exportConfigType": "NO_EXPORT"},
            "created": now,
            "lastModified": now,
            "status": "ACTIVE",
        }
        store.put_group(group)
    return arn


def _group(
    store: Store, now: float, build: Build, key: str, refused: Callable[[str, str], str]
) -> str:
    arn = key
    if not key.startswith("arn:"):
        place = f"arn:aws:codebuild:{build.region}:{build.account}:report-group"
        arn = f"{place}/{build.project}-{key}"
    if store.group(arn) is not None:
        return arn
    if arn == key:
        raise ReportError(f"report group {key} does not exist")
    if denial := refused("codebuild:CreateReportGroup", arn):
        raise ReportError(f"error creating report group: AccessDeniedException: {denial}")
    return make_group(store, now, build.account, build.region, f"{build.project}-{key}")


def _case(suite: str, case: ET.Element) -> Case:
    status, message = "SUCCEEDED", ""
    for tag, meaning in (("failure", "FAILED"), ("error", "ERROR"), ("skipped", "SKIPPED")):
        found = case.find(tag)
        if found is not None:
            status, message = meaning, found.get("message") or (found.text or "").strip()
            break
    try:
        seconds = float(case.get("time") or 0)
    except ValueError:
        seconds = 0.0
    name, prefix = case.get("name", ""), case.get("classname", "")
    return Case(suite, prefix, name, status, seconds, message)
