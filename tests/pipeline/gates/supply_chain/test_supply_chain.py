"""The whole gate: pip-audit with a fake advisory service, and the deployed bundle."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from environments.schema import load_home
from environments.supply_chain import Licences
from pipeline.builds import bundle as bundles
from pipeline.builds.bundle import BundleError
from pipeline.gates import gate
from pipeline.gates.gate import main
from pipeline.gates.report.result import CouldNotRunError
from pipeline.gates.supply_chain import audit, program
from pipeline.gates.supply_chain.override import NEXT_STEP
from pipeline.names import OVERRIDE_PARAMETER

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@pytest.fixture(autouse=True)
def _built(root: Path, shipped: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bundles, "build", lambda _platform: shipped)


@pytest.fixture
def unreachable(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("HTTPS_PROXY", "https_proxy"):
        monkeypatch.setenv(variable, "http://127.0.0.1:1")
    for variable in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(variable, raising=False)


@pytest.fixture
def override(aws: str) -> Iterator[Callable[[Any], None]]:
    ssm = boto3.client("ssm", region_name=load_home().region, endpoint_url=aws)

    def set_(value: Any) -> None:
        text = value if isinstance(value, str) else json.dumps(value)
        ssm.put_parameter(Name=OVERRIDE_PARAMETER, Value=text, Type="String", Overwrite=True)

    yield set_
    if ssm.get_parameters(Names=[OVERRIDE_PARAMETER])["Parameters"]:
        ssm.delete_parameter(Name=OVERRIDE_PARAMETER)


def _granted(days: int) -> dict[str, str]:
    until = datetime.now(UTC) + timedelta(days=days)
    return {"until": until.isoformat(), "reason": "the advisory service is down", "by": "ops"}


def _summary(reports: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((reports / "supply_chain.json").read_text())
    return found


def test_a_clean_release_passes_and_writes_its_sbom(advisories: Any, reports: Path) -> None:
    assert main("supply_chain", program.run) == 0
    assert sorted(advisories.asked) == ["alpha", "beta", "flask"]
    assert _summary(reports)["sentence"] == (
        "no advisory names any of 2 packages; 2 are deployed, each locked and under an allowed "
        "licence"
    )
    bill = json.loads((reports / "bundle.cdx.json").read_text())
    assert [each["name"] for each in bill["components"]] == ["alpha", "beta"]


def test_a_vulnerable_pin_refuses_despite_an_override(
    advisories: Any, override: Callable[[Any], None], reports: Path
) -> None:
    advisories.vulnerable("beta", "PYSEC-2026-1", "2.1", "3.0")
    override(_granted(1))
    assert main("supply_chain", program.run) == 1
    assert _summary(reports)["sentence"] == (
        "1 finding pip-audit PYSEC-2026-1 at requirements/service.txt:2: "
        "beta 2.0 is vulnerable; fixed in 2.1, 3.0"
    )


def test_findings_of_every_kind_are_reported_together(
    advisories: Any,
    root: Path,
    policy: Callable[..., Any],
    package: Callable[..., dict[str, str]],
    bundle: Callable[..., Path],
    reports: Path,
) -> None:
    advisories.vulnerable("alpha", "PYSEC-2026-1")
    policy(licences=Licences(forbidden=("AGPL-3.0-only",)), approved=("alpha",))
    bundle(package("alpha", "1.0", License_Expression="AGPL-3.0-only"), package("gamma", "3.0"))
    assert main("supply_chain", program.run) == 1
    (sarif,) = reports.glob("supply_chain.sarif")
    runs = json.loads(sarif.read_text())["runs"]
    found = {(r["tool"]["driver"]["name"], each["ruleId"]) for r in runs for each in r["results"]}
    assert found == {
        ("pip-audit", "PYSEC-2026-1"),
        ("contents", "not-locked"),
        ("contents", "not-deployed"),
        ("declared", "undeclared"),
        ("licences", "forbidden-licence"),
        ("licences", "unknown-licence"),
        ("approved", "unapproved-package"),
    }


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        ((404, b"{}"), "beta: Dependency not found on PyPI and could not be audited: beta"),
        ((500, b"{}"), "pip-audit wrote no report: "),
        ((200, b"<html>"), "pip-audit wrote no report: .*JSONDecodeError"),
        ((200, b'{"vulnerabilities": [{}]}'), "pip-audit wrote no report: "),
    ],
)
def test_an_empty_response_of_the_advisory_service_refuses(
    advisories: Any, answer: tuple[int, bytes], sentence: str
) -> None:
    advisories.answers["beta"] = answer
    with pytest.raises(CouldNotRunError, match=sentence):
        program.audit()


def test_a_truncated_response_of_the_advisory_service_refuses(advisories: Any) -> None:
    advisories.cut.add("beta")
    with pytest.raises(CouldNotRunError, match="pip-audit wrote no report: "):
        program.audit()


def test_an_unresponsive_advisory_service_refuses_in_time(
    advisories: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    advisories.silent.add("alpha")
    monkeypatch.setattr(audit, "_TIMEOUT_SECONDS", 2)
    with pytest.raises(CouldNotRunError, match="pip-audit did not end within 2 s"):
        program.audit()


@pytest.mark.parametrize("answer", [b"{}", b'{"vulnerabilities": []}', b'{"vulnerabilities":null}'])
def test_an_advisory_service_without_any_vulnerability_refuses(
    advisories: Any, answer: bytes
) -> None:
    """pip-audit itself calls all of these clean."""
    advisories.answers["flask"] = (200, answer)
    with pytest.raises(CouldNotRunError, match=r"returns no vulnerabilities for flask 0\.5"):
        program.audit()


@pytest.mark.parametrize(
    "report", ["", "{}", "[]", '{"dependencies": [{}]}', '{"dependencies": []}']
)
def test_an_invalid_report_of_pip_audit_refuses(
    monkeypatch: pytest.MonkeyPatch, report: str
) -> None:
    """It exits with 0, and its output is no report of pip-audit."""
    write = "import sys, pathlib; pathlib.Path(sys.argv[sys.argv.index('--output') + 1])"
    code = f"{write}.write_text({report!r})"
    monkeypatch.setattr(audit, "_COMMAND", (sys.executable, "-c", code))
    with pytest.raises(CouldNotRunError):
        program.audit()


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        (lambda text: text.replace("beta==2.0", "beta>=2.0"), "service.txt:2: found 'beta>=2.0"),
        (lambda text: text[:-9], "service.txt:2: beta==2.0 has no hash or an invalid one"),
        (lambda text: text.replace("--hash", "#"), "service.txt:1: found 'alpha==1.0 #"),
        (lambda _: "", "service.txt: found no pin"),
        (lambda _: "<<<<<<< HEAD\n", "service.txt:1: found '<<<<<<< HEAD'"),
    ],
)
def test_a_corrupt_lock_refuses(
    advisories: Any, root: Path, damage: Callable[[str], str], sentence: str
) -> None:
    path = root / "requirements" / "service.txt"
    path.write_text(damage(path.read_text()))
    with pytest.raises(CouldNotRunError, match=sentence) as refused:
        program.run()
    assert refused.value.next_step is None  # an override would not help
    assert advisories.asked == []


def test_a_bundle_that_cannot_be_built_refuses(
    advisories: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_platform: str) -> None:
        raise BundleError("service.txt cannot be installed: no such wheel")

    monkeypatch.setattr(bundles, "build", fail)
    with pytest.raises(CouldNotRunError, match="no such wheel"):
        program.run()


def test_the_bundle_of_the_assembly_is_checked_with_its_sbom(
    advisories: Any, assembly: Any
) -> None:
    assert program.run().status == "passed"
    assembly.publish("staging", "s.json", b"{}")
    outcome = program.run()
    assert [each.rule for each in outcome.findings] == ["no-sbom"] * 3  # they share the file


def test_a_bundle_of_the_assembly_that_is_no_zip_refuses(advisories: Any, assembly: Any) -> None:
    assembly.publish("prod", "b.zip", b"half a zip")
    with pytest.raises(CouldNotRunError, match="the bundle cannot be read"):
        program.run()


def test_without_advisories_and_without_aws_it_refuses_soon(
    unreachable: None, no_aws: None
) -> None:
    with pytest.raises(CouldNotRunError) as refused:
        program.run()
    assert str(refused.value).startswith("pip-audit wrote no report: ")
    assert "the override could not be read: " in str(refused.value)


def test_without_advisories_and_without_an_override_it_refuses(unreachable: None, aws: str) -> None:
    with pytest.raises(CouldNotRunError) as refused:
        program.run()
    assert "override" not in str(refused.value)
    assert "`pithead override supply-chain --for 7d --reason " in str(refused.value.next_step)


def test_a_valid_override_passes_an_audit_that_could_not_run(
    unreachable: None, override: Callable[[Any], None], reports: Path
) -> None:
    granted = _granted(1)
    override(granted)
    assert main("supply_chain", program.run) == 0
    report = _summary(reports)
    assert report["status"] == "not run"
    assert report["sentence"].endswith(
        f"overridden until {granted['until']} by ops: the advisory service is down"
    )
    assert report["details"]["override"]["by"] == "ops"


def test_an_override_passes_no_finding_without_a_waiver(
    unreachable: None,
    override: Callable[[Any], None],
    policy: Callable[..., Any],
    reports: Path,
) -> None:
    override(_granted(1))
    policy(approved=("alpha",))
    assert main("supply_chain", program.run) == 1
    report = _summary(reports)
    assert "beta 2.0 is not approved" in report["sentence"]
    assert report["details"]["override"]["by"] == "ops"
    gate.WAIVERS.write_text(
        '[[waiver]]\ngate = "supply_chain"\nrule = "unapproved-package"\nsubject = "beta"\n'
        'reason = "approved on Monday"\nowner = "ops"\nexpires = 2999-01-01\n'
    )
    assert main("supply_chain", program.run) == 0
    assert _summary(reports)["status"] == "not run"


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        (_granted(-1), rf"; and the override in {OVERRIDE_PARAMETER} expired at 20"),
        (_granted(8), rf"; and the override in {OVERRIDE_PARAMETER} lasts until 20.*; 7 days are"),
        ("forever", "is malformed: value: Invalid JSON"),
        ({**_granted(1), "until": "tomorrow"}, "is malformed: until: "),
        ({**_granted(1), "until": "2099-01-01T00:00:00"}, "is malformed: until: .*timezone"),
        ({**_granted(1), "reason": ""}, "is malformed: reason: "),
        ({"until": _granted(1)["until"], "reason": "why not"}, "is malformed: by: Field required"),
    ],
)
def test_an_invalid_override_passes_nothing(
    monkeypatch: pytest.MonkeyPatch, override: Callable[[Any], None], value: Any, sentence: str
) -> None:
    def unreachable(*_arguments: Any) -> None:
        raise CouldNotRunError("pip-audit wrote no report: no route to host")

    monkeypatch.setattr(audit, "audit", unreachable)
    override(value)
    with pytest.raises(CouldNotRunError, match=sentence) as refused:
        program.run()
    assert refused.value.next_step == NEXT_STEP
