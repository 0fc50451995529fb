"""pip-audit itself, against a stand-in for pypi.org; the override out of an SSM parameter."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from environments.schema import load_home
from pipeline.gates import supply_chain
from pipeline.gates.gate import CouldNotRunError, run
from pipeline.names import OVERRIDE_PARAMETER

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

_HASH = f"--hash=sha256:{'0' * 64}"


@pytest.fixture(autouse=True)
def lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "service.txt"
    path.write_text(f"alpha==1.0 {_HASH}\nbeta==2.0 \\\n    {_HASH}\n")
    monkeypatch.setattr(supply_chain, "LOCK", path)
    return path


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
    return {"until": until.isoformat(), "reason": "pypi.org is down", "by": "ops"}


def test_a_clean_lock_passes_until_an_advisory_names_a_pin(advisories: Any) -> None:
    outcome = supply_chain.judge()
    assert (outcome.status, outcome.sentence) == ("passed", "no advisory names any of 2 packages")
    assert sorted(advisories.asked) == ["alpha", "beta"]
    advisories.vulnerable("beta", "PYSEC-2026-1")
    again = supply_chain.judge()
    assert again.status == "refused"
    assert again.sentence.endswith("fixed in no release yet")


def test_a_vulnerable_pin_refuses_whatever_the_override_says(
    advisories: Any, override: Callable[[Any], None], reports: Path
) -> None:
    advisories.vulnerable("beta", "PYSEC-2026-1", "2.1", "3.0")
    override(_granted(1))
    assert run("supply_chain", supply_chain.judge) == 1
    report = json.loads((reports / "supply_chain.json").read_text())
    assert report["sentence"] == (
        "1 of 2 packages are vulnerable, the first beta 2.0 by PYSEC-2026-1; fixed in 2.1, 3.0"
    )
    assert report["details"] == {"vulnerable": ["beta"]}


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        ((404, b"{}"), "beta: Dependency not found on PyPI and could not be audited: beta"),
        ((500, b"{}"), "pip-audit left no report: "),
        ((200, b"<html>"), "pip-audit left no report: .*JSONDecodeError"),
    ],
)
def test_an_answer_that_says_nothing_refuses(
    advisories: Any, answer: tuple[int, bytes], sentence: str
) -> None:
    advisories.answers["beta"] = answer
    with pytest.raises(CouldNotRunError, match=sentence):
        supply_chain.audit()


def test_a_lock_without_hashes_refuses(lock: Path) -> None:
    lock.write_text("alpha==1.0\n")
    with pytest.raises(CouldNotRunError, match=r"pip-audit left no report: .*hash"):
        supply_chain.audit()


def test_without_advisories_and_without_aws_it_refuses_soon(
    unreachable: None, no_aws: None
) -> None:
    with pytest.raises(CouldNotRunError) as refused:
        supply_chain.judge()
    assert str(refused.value).startswith("pip-audit left no report: ")
    assert "the override could not be read: " in str(refused.value)


def test_without_advisories_and_without_an_override_it_refuses(unreachable: None, aws: str) -> None:
    with pytest.raises(CouldNotRunError) as refused:
        supply_chain.judge()
    assert "override" not in str(refused.value)


def test_a_valid_override_lets_an_audit_by_that_could_not_run(
    unreachable: None, override: Callable[[Any], None], reports: Path
) -> None:
    granted = _granted(1)
    override(granted)
    assert run("supply_chain", supply_chain.judge) == 0
    report = json.loads((reports / "supply_chain.json").read_text())
    assert report["status"] == "not run"
    assert report["sentence"].endswith(f"let by until {granted['until']} by ops: pypi.org is down")
    assert report["details"]["override"]["by"] == "ops"


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        (_granted(-1), rf"; and the override in {OVERRIDE_PARAMETER} expired at 20"),
        ("forever", "is malformed: value: Invalid JSON"),
        ({**_granted(1), "until": "tomorrow"}, "is malformed: until: "),
        ({**_granted(1), "until": "2099-01-01T00:00:00"}, "is malformed: until: .*timezone"),
        ({**_granted(1), "reason": ""}, "is malformed: reason: "),
        ({"until": _granted(1)["until"], "reason": "why not"}, "is malformed: by: Field required"),
    ],
)
def test_any_other_override_lets_nothing_by(
    monkeypatch: pytest.MonkeyPatch, override: Callable[[Any], None], value: Any, sentence: str
) -> None:
    def unreachable() -> None:
        raise CouldNotRunError("pip-audit left no report: no route to host")

    monkeypatch.setattr(supply_chain, "audit", unreachable)
    override(value)
    with pytest.raises(CouldNotRunError, match=sentence):
        supply_chain.judge()
