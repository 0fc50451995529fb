"""Rules about settings that are looser than in the last promoted release.

They apply to the stack with the record (`pipeline.builds.safeguards`), which is prod's.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from environments.looser import ENVIRONMENT
from pipeline.builds.safeguards import CODE, METADATA, WAIVERS, from_metadata
from pipeline.gates.template.rules import Fault, Rule
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


def _looser(change: Change) -> Iterator[Fault]:
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
            yield Fault(
                place, f"{place} {what}: {each.sentence}; take it back, or waive it with a reason"
            )


def _waivers(change: Change) -> Iterator[Fault]:
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
            yield Fault(
                subject,
                f"the waiver of {waiver.get('rule')} for {names} by {waiver.get('owner')} until "
                f"{waiver.get('expires')} is new or other than in the release promoted last: "
                f"{waiver.get('reason')}",
                "warning",
            )
        expires = _date(waiver.get("expires"))
        if expires is None or expires > last:
            yield Fault(
                f"{subject} expires",
                f"the waiver of {waiver.get('rule')} for {names} by {waiver.get('owner')} ends on "
                f"{waiver.get('expires')}; allowed are {MAX_WAIVER_DAYS} days, so until {last}. "
                "Write that day, and renew it then",
            )


def _code(change: Change) -> Iterator[Fault]:
    found = _of(change)
    if found is None or found.deployed is None:
        return
    was, now = found.deployed.get(CODE, {}), found.released.get(CODE, {})
    for place in sorted(was.keys() | now.keys()):
        if was.get(place) != now.get(place):
            yield Fault(
                place,
                f"the code of the gates below {place} is other than in the release promoted last; "
                "review that it still refuses what it refused",
                "warning",
            )


def _record(change: Change) -> Iterator[Fault]:
    had, has = METADATA in change.deployed.metadata, METADATA in change.stack.template.metadata
    if had and not has:
        yield Fault(
            "record",
            f"{change.stack.name} would no longer record what holds a release back (metadata "
            f"{METADATA}), and later releases could not be compared; keep the record",
        )
    if has and not had:
        yield Fault(
            "no record",
            f"{change.stack.name} is deployed without a record of what holds a release back; "
            "settings are compared from the next release on, so review those of this one",
            "warning",
        )
    if has and change.safeguards:
        recorded = from_metadata(change.stack.template.metadata) or {}
        for file, document in sorted(change.safeguards.released.items()):
            if file != CODE and canonical(recorded.get(file)) != canonical(document):
                yield Fault(
                    f"record {file}",
                    f"{change.stack.name} would record something else of {file} than the file "
                    "says; synthesise the assembly from this checkout",
                )


def _of(change: Change) -> Safeguards | None:
    """The safeguards, where this stack is the one that carries their record."""
    carries = METADATA in change.deployed.metadata or METADATA in change.stack.template.metadata
    return change.safeguards if carries else None


def _directions(file: str) -> Mapping[str, Direction]:
    if fnmatchcase(file, _ENVIRONMENTS):
        return ENVIRONMENT
    return _PYPROJECT if file == "pyproject.toml" else {}


def _document(found: Safeguards, documents: Mapping[str, Any], file: str) -> Any:
    """A file's document, without the freezes that are over."""
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
        "A limit that a commit edits in a file would judge that very commit; what was promoted "
        "last had another one, and who reads the pull request should know.",
        _looser,
    ),
    Rule(
        "PH708",
        "A waiver takes a finding out of the verdict: one that is new is shown with the release, "
        "and none is for ever.",
        _waivers,
    ),
    Rule(
        "PH709",
        "Gates are code of the repository: a change of theirs may refuse less, and no comparison "
        "of settings would show that.",
        _code,
    ),
    Rule(
        "PH710",
        "What is deployed can be compared only where a promotion left a true record of it.",
        _record,
    ),
)
