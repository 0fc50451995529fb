"""Waivers: what they suppress, and the misuses that refuse."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.gates import gate
from pipeline.gates.gate import main
from pipeline.gates.report import waivers
from pipeline.gates.report.findings import Finding, fingerprints
from pipeline.gates.report.result import GateResult
from pipeline.gates.report.waivers import Waiver, WaiversError, apply, read

if TYPE_CHECKING:
    from pathlib import Path

TODAY = date(2026, 11, 24)
HOLE = Finding("bandit", "B307", "eval", "service/hole.py", 2, subject="eval(text)")
VALID: dict[str, Any] = {
    "gate": "security",
    "rule": "B307",
    "path": "service/hole.py",
    "reason": "the text is a constant of ours",
    "owner": "@acme/security",
    "expires": TODAY + timedelta(days=30),
}


def _toml(**change: Any) -> str:
    lines = ["[[waiver]]"]
    for key, value in (VALID | change).items():
        if value is not None:
            lines.append(f"{key} = {value if isinstance(value, date) else json.dumps(value)}")
    return "\n".join(lines)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[[waiver]", "waivers.toml: Expected ']]'"),
        ("\xff", "waivers.toml: Invalid statement"),
        ("waivers = []", r"waivers: found \[\].*Extra inputs"),
        (_toml(reason=None), r"waiver\.0\.reason: .*Field required"),
        (_toml(reason="because"), r"waiver\.0\.reason: found 'because'.*at least 10"),
        (_toml(owner=""), r"waiver\.0\.owner: found ''"),
        (_toml(expires="never"), r"waiver\.0\.expires: found 'never'"),
        (_toml(expires=None), r"waiver\.0\.expires: .*Field required"),
        (
            _toml(gate="securty"),
            r"waiver\.0\.gate: found 'securty'; the gates are unit, .*, security, ",
        ),
        (_toml(path=None), r"waiver\.0: .*a rule alone waives too much"),
        (_toml(fingerprint="B307"), r"waiver\.0\.fingerprint: found 'B307'"),
        (_toml(line=2), r"waiver\.0\.line: found 2.*Extra inputs"),
    ],
)
def test_an_unreadable_waiver_file_waives_nothing_and_refuses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, said: str
) -> None:
    file = tmp_path / "waivers.toml"
    file.write_text(text)
    with pytest.raises(WaiversError, match=said):
        read(file)
    monkeypatch.setattr(gate, "WAIVERS", file)
    monkeypatch.setattr(gate, "REPORTS", tmp_path)
    assert main("security", lambda: GateResult.of_findings([], "clean")) == 2


def test_a_file_that_is_no_text_refuses(tmp_path: Path) -> None:
    (tmp_path / "waivers.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(WaiversError, match=r"waivers\.toml: 'utf-8' codec"):
        read(tmp_path / "waivers.toml")


def test_the_repositorys_own_waivers_are_readable() -> None:
    assert read(gate.WAIVERS) is not None
    assert read(gate.WAIVERS.with_name("none.toml")) == ()


@pytest.mark.parametrize(
    ("change", "covers"),
    [
        ({}, True),
        ({"subject": "eval(text)"}, True),
        ({"path": None, "subject": "eval(text)"}, True),
        ({"path": None, "fingerprint": HOLE.fingerprint}, True),
        ({"rule": "B602"}, False),
        ({"path": "service/other.py"}, False),
        ({"subject": "eval(other)"}, False),
        ({"fingerprint": "0" * 32}, False),
        ({"gate": "infrastructure"}, False),
        ({"expires": TODAY}, True),
        ({"expires": TODAY - timedelta(days=1)}, False),
    ],
)
def test_a_waiver_covers_findings_that_match_all_its_keys_until_it_expires(
    change: dict[str, Any], *, covers: bool
) -> None:
    waiver = Waiver.model_validate(VALID | change)
    found, *about = apply([waiver], "security", [HOLE], TODAY)
    about = [each for each in about if each.finding.severity == "error"]
    assert (found.waiver is not None) == covers
    # An unused waiver is reported only by the gate that it names.
    told = not covers and waiver.gate == "security"
    assert [each.finding.rule for each in about] == (
        ["expired-waiver" if waiver.expires < TODAY else "unused-waiver"] if told else []
    )


ADVISORY = Finding(
    "pip-audit",
    "PYSEC-2026-1",
    "vulnerable",
    subject="mangum",
    aliases=("CVE-2026-0001", "GHSA-aaaa-bbbb-cccc"),
)


@pytest.mark.parametrize("name", ["PYSEC-2026-1", "CVE-2026-0001", "ghsa-AAAA-bbbb-cccc"])
def test_a_waiver_names_an_advisory_by_any_of_its_names(name: str) -> None:
    """The service may use another name tomorrow."""
    waiver = Waiver.model_validate(VALID | {"rule": name, "path": None, "subject": "mangum"})
    (found,) = [each for each in apply([waiver], "security", [ADVISORY], TODAY) if each.waiver]
    assert found.finding == ADVISORY


def test_a_fingerprint_matches_under_an_alias_of_the_rule() -> None:
    before = Finding("pip-audit", "CVE-2026-0001", "vulnerable", subject="mangum")
    waiver = Waiver.model_validate(
        VALID | {"rule": "CVE-2026-0001", "path": None, "fingerprint": before.fingerprint}
    )
    assert apply([waiver], "security", [ADVISORY], TODAY)[0].waiver == waiver
    other = Finding("pip-audit", "CVE-2026-0002", "vulnerable", subject="mangum")
    assert apply([waiver], "security", [other], TODAY)[0].waiver is None


@pytest.mark.parametrize(
    ("days", "said"),
    [(0, "expires today, on "), (1, "expires in 1 day, on "), (7, "expires in 7 days"), (8, None)],
)
def test_a_waiver_that_ends_within_a_week_is_announced(days: int, said: str | None) -> None:
    waiver = Waiver.model_validate(VALID | {"expires": TODAY + timedelta(days=days)})
    found, *about = apply([waiver], "security", [HOLE], TODAY)
    assert found.waiver == waiver
    assert [(each.finding.rule, each.finding.severity) for each in about] == (
        [("expiring-waiver", "warning")] if said else []
    )
    assert all(said in each.finding.message for each in about if said)


def test_a_fingerprint_waives_only_one_of_two_similar_findings() -> None:
    twins = [HOLE, Finding("bandit", "B307", "eval", "service/hole.py", 9, subject="eval(text)")]
    first, second = fingerprints(twins)
    waiver = Waiver.model_validate(VALID | {"path": None, "fingerprint": first})
    results = apply([waiver], "security", twins, TODAY)
    assert [(x.fingerprint, x.waiver is None) for x in results] == [(first, False), (second, True)]


def test_a_partial_run_does_not_report_unused_waivers() -> None:
    waiver = Waiver.model_validate(VALID)
    assert apply([waiver], "security", [], TODAY, whole=False) == []


@given(st.lists(st.sampled_from(["B307", "B602", "B301"]), max_size=6), st.data())
def test_each_finding_is_either_waived_or_left(rules: list[str], data: st.DataObject) -> None:
    findings = [Finding("bandit", rule, rule, f"{n % 2}.py", n) for n, rule in enumerate(rules)]
    given_ = [
        Waiver.model_validate(VALID | {"rule": rule, "path": path})
        for rule, path in data.draw(
            st.lists(
                st.tuples(st.sampled_from(["B307", "B602"]), st.sampled_from(["0.py", "1.py"]))
            )
        )
    ]
    results = apply(given_, "security", findings, TODAY)
    assert [each.finding for each in results][: len(findings)] == findings
    for each in results:
        named = any((w.rule, w.path) == (each.finding.rule, each.finding.path) for w in given_)
        assert (each.waiver is not None) == named


class TestAtTheGate:
    @pytest.fixture(autouse=True)
    def _reports(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(gate, "REPORTS", tmp_path)
        monkeypatch.setattr(gate, "WAIVERS", tmp_path / "waivers.toml")

    def _run(self, tmp_path: Path, *findings: Finding, **change: Any) -> tuple[int, Any, Any]:
        (tmp_path / "waivers.toml").write_text(_toml(**change))
        code = main(
            "security", lambda: GateResult.of_findings(findings, "clean", tools=("bandit",))
        )
        report = json.loads((tmp_path / "security.json").read_text())
        sarif = json.loads((tmp_path / "security.sarif").read_text())
        return code, report, sarif

    def test_a_waived_finding_passes_and_is_recorded(self, tmp_path: Path) -> None:
        later = datetime.now(UTC).date() + timedelta(days=30)
        code, report, sarif = self._run(tmp_path, HOLE, expires=later)
        assert (code, report["status"], report["sentence"]) == (0, "passed", "clean")
        assert (report["findings"], report["waived"]) == (0, 1)
        (result,) = sarif["runs"][0]["results"]
        (suppression,) = result["suppressions"]
        assert suppression["status"] == "accepted"
        assert suppression["justification"] == (
            f"the text is a constant of ours (@acme/security, until {later})"
        )

    def test_a_waiver_that_expires_soon_passes_with_a_warning(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        code, report, _ = self._run(
            tmp_path, HOLE, expires=datetime.now(UTC).date() + timedelta(days=3)
        )
        assert (code, report["status"]) == (0, "passed")
        assert "warning: waivers expiring-waiver: the waiver of B307" in capsys.readouterr().out

    def test_an_expired_waiver_refuses(self, tmp_path: Path) -> None:
        yesterday = datetime.now(UTC).date() - timedelta(days=1)
        code, report, _ = self._run(tmp_path, HOLE, expires=yesterday)
        assert (code, report["status"], report["findings"]) == (1, "refused", 2)
        code, report, _ = self._run(tmp_path, expires=yesterday)
        assert code == 1
        assert f"expired on {yesterday}" in report["sentence"]

    def test_an_unused_waiver_refuses(self, tmp_path: Path) -> None:
        tomorrow = datetime.now(UTC).date() + timedelta(days=1)
        code, report, _ = self._run(tmp_path, expires=tomorrow)
        assert code == 1
        assert report["sentence"] == (
            "1 finding waivers unused-waiver at pipeline/waivers.toml: the waiver of B307 for "
            "service/hole.py by @acme/security suppresses no finding; remove it"
        )
        assert report["next"] == "edit pipeline/waivers.toml (docs/gates.md, Waivers) and commit"

    def test_a_gate_that_could_not_run_does_not_report_unused_waivers(self, tmp_path: Path) -> None:
        (tmp_path / "waivers.toml").write_text(_toml())
        assert main("security", lambda: GateResult("not run", "let by")) == 0

    def test_a_refusal_by_the_gate_itself_cannot_be_waived(self, tmp_path: Path) -> None:
        (tmp_path / "waivers.toml").write_text(_toml(expires=date(9999, 1, 1)))
        assert main("security", lambda: GateResult("refused", "no", findings=(HOLE,))) == 1


def test_the_findings_about_waivers_name_their_tool() -> None:
    waiver = Waiver.model_validate(VALID)
    (about,) = apply([waiver], "security", [], TODAY)
    assert about.finding.tool == waivers.TOOL
