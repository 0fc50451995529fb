"""Rules about settings that are looser than in the last promoted release.

They apply to the stack with the record (`pipeline.builds.safeguards`), prod's stack.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from environments.looser import ENVIRONMENT
from pipeline.builds.safeguards import CODE, METADATA, WAIVERS, from_metadata
from pipeline.gates.template.rules import Rule, Violation
from pipeline.gates.template.strictness import looser
from pipeline.gates.template.template import canonical, listed

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from environments.looser import Direction
    from pipeline.gates.template.rules import Change, Safeguards

MAX_WAIVER_DAYS = 90
_ENVIRONMENTS = "environments/*.toml"
_SUPPLY_CHAIN = "pithead.supply-chain"
_PYPROJECT: dict[str, Direction] = {
    "pithead.account": "changed",
    "pithead.region": "changed",
    "pithead.repository": "changed",
    "pithead.branch": "changed",
    "pithead.connection": "changed",
    f"{_SUPPLY_CHAIN}.attested_gates": "shrinks",
    f"{_SUPPLY_CHAIN}.approved": "widens",
    f"{_SUPPLY_CHAIN}.licences.allowed": "grows",
    f"{_SUPPLY_CHAIN}.licences.forbidden": "shrinks",
    f"{_SUPPLY_CHAIN}.licences.reviewed": "grows",
    f"{_SUPPLY_CHAIN}.signing_profile_version": "changed",
    f"{_SUPPLY_CHAIN}.index.*": "changed",
    "pytest.ini_options.markers": "never",
    "pytest.ini_options.norecursedirs": "grows",
    "pytest.ini_options.pythonpath": "grows",
    "pytest.ini_options.testpaths": "shrinks",
    "pytest.ini_options.timeout": "never",
}


def _looser(change: Change) -> Iterator[Violation]:
    found = _of(change)
    if found is None or found.deployed is None:
        return
    for file in sorted((found.deployed.keys() | found.released.keys()) - {WAIVERS, CODE}):
        was = _document(found, found.deployed, file)
        now = _document(found, found.released, file)
        if was is None and file != "pyproject.toml" and not fnmatchcase(file, _ENVIRONMENTS):
            was = {}  # a scanner had no configuration of its own
        for each in looser(was, now, _directions(file)):
            place = f"{file} {each.key}".strip()
            what = (
                "is looser than in the release promoted last"
                if each.sure
                else "changed, and its looser direction is not defined"
            )
            yield Violation(
                place, f"{place} {what}: {each.sentence}; revert it, or waive it with a reason"
            )


def _waivers(change: Change) -> Iterator[Violation]:
    found = _of(change)
    if found is None:
        return
    stated = listed(found.released.get(WAIVERS, {}).get("waiver"))
    known = {canonical(each) for each in _known_waivers(found)}
    last = found.now.date() + timedelta(days=MAX_WAIVER_DAYS)
    for waiver in (each for each in stated if isinstance(each, dict)):
        names = waiver.get("fingerprint") or waiver.get("subject") or waiver.get("path") or ""
        subject = f"{waiver.get('gate')} {waiver.get('rule')} {names}"
        if canonical(waiver) not in known and found.deployed is not None:
            yield Violation(
                subject,
                f"the waiver of {waiver.get('rule')} for {names} by {waiver.get('owner')} until "
                f"{waiver.get('expires')} is new or has changed since the release promoted last: "
                f"{waiver.get('reason')}",
                "warning",
            )
        expires = _date(waiver.get("expires"))
        if expires is None or expires > last:
            yield Violation(
                f"{subject} expires",
                f"the waiver of {waiver.get('rule')} for {names} by {waiver.get('owner')} ends on "
                f"{waiver.get('expires')}; allowed are {MAX_WAIVER_DAYS} days, until {last}. Set "
                "that day, and renew the waiver then",
            )


def _code(change: Change) -> Iterator[Violation]:
    found = _of(change)
    if found is None or found.deployed is None:
        return
    was, now = found.deployed.get(CODE, {}), found.released.get(CODE, {})
    for place in sorted(was.keys() | now.keys()):
        if was.get(place) != now.get(place):
            yield Violation(
                place,
                f"the gates' code in {place} has changed since the release promoted last; review "
                "that it still refuses the same",
                "warning",
            )


def _record(change: Change) -> Iterator[Violation]:
    had, has = METADATA in change.deployed.metadata, METADATA in change.stack.template.metadata
    if had and not has:
        yield Violation(
            "record",
            f"{change.stack.name} would no longer record the settings that can refuse a release "
            f"(metadata {METADATA}), so that later releases cannot be compared; keep the record",
        )
    if has and not had:
        yield Violation(
            "no record",
            f"{change.stack.name} is deployed without a record of the settings that can refuse a "
            "release; they are compared from the next release on, so review those of this one",
            "warning",
        )
    if has and change.safeguards:
        recorded = from_metadata(change.stack.template.metadata) or {}
        for file, document in sorted(change.safeguards.released.items()):
            if file != CODE and canonical(recorded.get(file)) != canonical(document):
                yield Violation(
                    f"record {file}",
                    f"{change.stack.name} would record other settings than {file} contains; "
                    "synthesise the assembly from this checkout",
                )


def _of(change: Change) -> Safeguards | None:
    """Return the safeguards if this stack contains their record; else None."""
    carries = METADATA in change.deployed.metadata or METADATA in change.stack.template.metadata
    return change.safeguards if carries else None


def _directions(file: str) -> Mapping[str, Direction]:
    if fnmatchcase(file, _ENVIRONMENTS):
        return ENVIRONMENT
    return _PYPROJECT if file == "pyproject.toml" else {}


def _document(found: Safeguards, documents: Mapping[str, Any], file: str) -> Any:
    """Return a file's document without expired freezes."""
    document = documents.get(file)
    if isinstance(document, dict) and isinstance(document.get("freeze"), list):
        lasting = [each for each in document["freeze"] if not _is_over(each, found.now)]
        return document | {"freeze": lasting}
    return document


def _is_over(freeze: Any, now: datetime) -> bool:
    try:
        return datetime.fromisoformat(str(freeze["until"])) < now
    except (KeyError, TypeError, ValueError):
        return False


def _known_waivers(found: Safeguards) -> list[Any]:
    return listed((found.deployed or {}).get(WAIVERS, {}).get("waiver"))


def _date(value: Any) -> date | None:
    try:
        return date.fromisoformat(str(value))
    except ValueError:
        return None


RULES = (
    Rule(
        "PH707",
        "A limit that a commit edits would apply to that same commit, so the reader of the pull "
        "request should know the limit of the release promoted last.",
        _looser,
    ),
    Rule(
        "PH708",
        "A waiver suppresses a finding: a new one is shown with the release, and each one expires.",
        _waivers,
    ),
    Rule(
        "PH709",
        "Gates are code of the repository: a change may make them refuse less, and no comparison "
        "of settings shows that.",
        _code,
    ),
    Rule(
        "PH710",
        "Settings can be compared only if the last promotion recorded them correctly.",
        _record,
    ),
)
