"""PH707 to PH710: settings, compared with the record in prod's stack."""

from __future__ import annotations

import copy
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pipeline.builds import safeguards
from pipeline.builds.safeguards import as_metadata, from_metadata
from pipeline.gates.template import assembly as assemblies
from pipeline.gates.template import catalogue
from pipeline.gates.template.rules import Change, Safeguards

if TYPE_CHECKING:
    from collections.abc import Callable

    from pipeline.gates.report.findings import Finding

ROOT = Path(__file__).parents[4]
NOW = datetime(2026, 11, 30, tzinfo=UTC)
WAIVER = {
    "gate": "changes", "rule": "PH707", "subject": "environments/staging.toml load.users",
    "reason": "agreed with operations", "owner": "@acme/operations", "expires": "2027-01-31",
}  # fmt: skip
Documents = dict[str, Any]


@pytest.fixture(scope="module")
def recorded() -> Documents:
    """The settings in this checkout's files."""
    return safeguards.read(ROOT)


@pytest.fixture
def compared(written: Any, recorded: Documents) -> Callable[..., list[Finding]]:
    """Return a function that compares changed files with the record."""

    def compare(
        edit: Callable[[Documents], object],
        *,
        record: bool = True,
        writes: bool = True,
        was: Callable[[Documents], object] = lambda _documents: None,
    ) -> list[Finding]:
        before, after = copy.deepcopy(recorded), copy.deepcopy(recorded)
        was(before)
        edit(after)
        old, new = (
            _stack(written, each if written_ else None)
            for each, written_ in ((before, record), (after, writes))
        )
        known = Safeguards(before if record else None, after, NOW)
        return catalogue.compare([Change(new, old.template, known)])

    return compare


def _stack(written: Any, record: Documents | None) -> Any:
    folder = written.stack({"T": {"Type": "AWS::SNS::Topic"}}).folder
    file = folder / "files.template.json"
    document = json.loads(file.read_text())
    document |= {"Metadata": as_metadata(record)} if record is not None else {}
    file.write_text(json.dumps(document))
    (stack,) = assemblies.read(folder)
    return stack


def _at(path: str, value: Any) -> Callable[[Documents], None]:
    """Return an edit that sets a key of a file, `file:table.key`; None removes it."""

    def edit(documents: Documents) -> None:
        file, _, keys = path.partition(":")
        *way, last = keys.split(".") if keys else [""]
        holder = documents[file] if keys else documents
        for key in way:
            holder = holder[key]
        last = last or file
        holder.pop(last, None) if value is None else holder.update({last: value})

    return edit


_CHAIN = "pyproject.toml:pithead.supply-chain"


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("environments/staging.toml:load.max_p95_ms", 900),
        ("environments/staging.toml:load.users", 1),
        ("environments/staging.toml:load.comparison.min_growth", 5),
        ("environments/staging.toml:load", None),
        ("environments/prod.toml:judge.false_rollback_rate", 0.0001),
        ("environments/prod.toml:judge.tolerance", 5),
        ("environments/prod.toml:judge", None),
        ("environments/prod.toml:shift.bake_minutes", 3),
        ("environments/prod.toml:guard.max_failure_share", 0.9),
        ("environments/prod.toml:guard.min_requests", 10**9),
        ("environments/prod.toml:account", "555555555555"),
        ("environments/dev.toml", None),
        (f"{_CHAIN}.attested_gates", ["security"]),
        (f"{_CHAIN}.licences.forbidden", []),
        (f"{_CHAIN}.licences.allowed", ["MIT", "GPL-3.0-only"]),
        (_CHAIN, None),
        ("pyproject.toml:pithead.branch", "other"),
        ("pipeline/gates/scanners/secrets.yaml", {"sha256": "other"}),
        (".cfnlintrc.yaml", {"sha256": "other"}),
        (".cfnlintrc.yml", {"sha256": "new"}),
        ("pyproject.toml:pytest.ini_options.pythonpath", [".", "vendor"]),
    ],
)
def test_a_looser_setting_is_refused(
    path: str, value: Any, compared: Callable[..., list[Finding]]
) -> None:
    edit = _at(path, value)
    (found,) = compared(edit)
    assert (found.rule, found.severity) == ("PH707", "error")
    assert path.partition(":")[0] in found.subject


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("environments/staging.toml:load.max_p95_ms", 100),
        ("environments/prod.toml:judge.false_rollback_rate", 0.05),
        ("environments/prod.toml:judge.undecided", "rollback"),
        ("environments/prod.toml:shift.bake_minutes", 30),
        ("environments/prod.toml:function.memory_mb", 512),
        (f"{_CHAIN}.approved", ["fastapi"]),
    ],
)
def test_a_stricter_setting_is_no_finding(
    path: str, value: Any, compared: Callable[..., list[Finding]]
) -> None:
    assert compared(_at(path, value)) == []
    assert compared(lambda _documents: None) == []


def test_only_an_expired_freeze_may_be_removed(
    compared: Callable[..., list[Finding]],
) -> None:
    def freeze(until: str) -> Callable[[Documents], None]:
        stated = [{"from": "2026-01-01 00:00:00+00:00", "until": until, "reason": "holidays"}]
        return _at("environments/prod.toml:freeze", stated)

    gone = _at("environments/prod.toml:freeze", None)
    assert compared(gone, was=freeze("2026-11-01 00:00:00+00:00")) == []
    (found,) = compared(gone, was=freeze("2026-12-24 00:00:00+00:00"))
    assert found.subject == "environments/prod.toml freeze"


def test_a_new_waiver_is_a_note_and_must_expire(compared: Callable[..., list[Finding]]) -> None:
    def waive(**keys: str) -> Callable[[Documents], None]:
        return _at("pipeline/waivers.toml", {"waiver": [WAIVER | keys]})

    (new,) = compared(waive())
    assert (new.rule, new.severity) == ("PH708", "warning")
    assert "agreed with operations" in new.message
    assert compared(waive(), was=waive()) == []
    (other,) = compared(waive(), was=waive(fingerprint="a" * 32))
    assert other.severity == "warning"
    found = compared(waive(expires="2027-03-01"), was=waive(expires="2027-03-01"))
    assert [(each.rule, each.severity) for each in found] == [("PH708", "error")]
    assert "allowed are 90 days, until 2027-02-28" in found[0].message


def test_changed_code_of_the_gates_is_a_note(compared: Callable[..., list[Finding]]) -> None:
    (found,) = compared(_at("code:pipeline/gates", "other"))
    assert (found.rule, found.severity, found.subject) == ("PH709", "warning", "pipeline/gates")


@pytest.mark.parametrize(
    ("file", "place"),
    [
        ("pipeline/app.py", "pipeline/app.py"),
        ("pipeline/judge/evaluation.py", "pipeline/judge"),
        ("pipeline/delivery/stacks/rails.py", "pipeline/delivery"),
        ("environments/looser.py", "environments/looser.py"),
        ("requirements/gates.txt", "requirements"),
        ("service/delivery/load/test_new.py", "service/delivery"),
        ("service/delivery/journey.py", "service/delivery"),
        ("tests/service/integration/conftest.py", "tests/service/integration"),
        ("pipeline/new/deep/code.py", "pipeline/new"),
    ],
)
def test_all_code_that_decides_a_release_has_a_digest(
    file: str, place: str, tmp_path: Path
) -> None:
    def digests(text: str) -> dict[str, str]:
        for each in (file, "pipeline/waivers.toml", "environments/dev.toml", "service/app/main.py"):
            (tmp_path / each).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / each).write_text(f"# {text}\n")
        (tmp_path / "pyproject.toml").touch()
        code: dict[str, str] = safeguards.read(tmp_path)["code"]
        return code

    before, after = digests("before"), digests("after")
    assert {each for each in after if before.get(each) != after[each]} == {place}


def test_the_settings_record_is_required_and_correct(
    compared: Callable[..., list[Finding]],
) -> None:
    (first,) = compared(lambda _documents: None, record=False)
    assert (first.rule, first.severity) == ("PH710", "warning")
    (gone,) = compared(lambda _documents: None, writes=False)
    assert (gone.rule, gone.severity, gone.subject) == ("PH710", "error", "record")


def test_a_settings_record_that_differs_from_the_files_is_refused(
    written: Any, recorded: Documents
) -> None:
    """A commit whose synthesis records the settings that the next comparison expects."""
    lying = copy.deepcopy(recorded)
    lying["environments/staging.toml"]["load"]["max_p95_ms"] = 10**6
    old, new = _stack(written, recorded), _stack(written, lying)
    (found,) = catalogue.compare([Change(new, old.template, Safeguards(recorded, recorded, NOW))])
    assert found.subject == "record environments/staging.toml"


def test_our_own_stack_records_the_settings_files(assembly: Any, recorded: Documents) -> None:
    document = json.loads(assembly.services["prod"].path.read_text())
    assert from_metadata(document["Metadata"]) == recorded
    for other in ("dev", "staging"):
        assert "Metadata" not in json.loads(assembly.services[other].path.read_text())
