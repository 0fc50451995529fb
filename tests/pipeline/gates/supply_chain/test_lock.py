from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.gates.gate import ROOT
from pipeline.gates.supply_chain.approved import check as approve
from pipeline.gates.supply_chain.lock import LockError, Pin, read

if TYPE_CHECKING:
    from pathlib import Path

_HASHES = st.lists(st.text("0123456789abcdef", min_size=64, max_size=64), min_size=1, max_size=3)
_NAMES = st.from_regex(r"[a-z]([a-z0-9-]*[a-z0-9])?", fullmatch=True).filter(
    lambda name: "--" not in name
)


def test_the_checkouts_own_lock_is_read() -> None:
    pins = read(ROOT / "requirements" / "service.txt")
    text = (ROOT / "requirements" / "service.txt").read_text()
    assert sum(len(pin.hashes) for pin in pins) == text.count("--hash=sha256:")
    assert {pin.name for pin in pins} >= {"fastapi", "boto3", "mangum"}
    for pin in pins:
        assert text.splitlines()[pin.line - 1].startswith(f"{pin.name}=={pin.version}")


@given(st.lists(st.tuples(_NAMES, _HASHES), min_size=1, max_size=5))
def test_a_lock_written_by_uv_is_parsed(
    tmp_path_factory: pytest.TempPathFactory, packages: list[tuple[str, list[str]]]
) -> None:
    path = tmp_path_factory.mktemp("lock") / "service.txt"
    text = "".join(
        f"{name}==1.{number} ; python_version >= '3' \\\n"
        + " \\\n".join(f"    --hash=sha256:{each}" for each in hashes)
        + "\n    # via something\n"
        for number, (name, hashes) in enumerate(packages)
    )
    path.write_text(text)
    assert [(pin.name, pin.version, list(pin.hashes)) for pin in read(path)] == [
        (name, f"1.{number}", hashes) for number, (name, hashes) in enumerate(packages)
    ]


@given(st.binary(max_size=200))
def test_an_invalid_line_of_a_lock_is_an_error_with_its_number(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    path = tmp_path_factory.mktemp("lock") / "service.txt"
    path.write_bytes(content)
    with pytest.raises(LockError, match=r"service\.txt.*run make lock"):
        read(path)


@pytest.mark.parametrize(
    "line",
    [
        "alpha==1.*", "alpha===1", "alpha", "alpha==1,<2", "alpha @ file:///tmp/x.whl",
        "-e .", "--index-url elsewhere", "alpha==1 --hash=md5:00",
        f"alpha==1 --hash=sha256:{'0' * 63}g", f"alpha==1 --hash=sha256:{'0' * 65}",
    ],
)  # fmt: skip
def test_a_requirement_without_a_pin_is_refused(tmp_path: Path, line: str) -> None:
    path = tmp_path / "service.txt"
    text = line if "--hash" in line else f"{line} --hash=sha256:{'0' * 64}"
    path.write_text(text + "\n")
    with pytest.raises(LockError, match=r"service\.txt:1: "):
        read(path)


def _pin(name: str, version: str) -> Pin:
    return Pin(name, version, ("0" * 64,), 7)


@pytest.mark.parametrize(
    ("approvals", "rule"),
    [
        ((), "unapproved-package"),
        (("beta",), "unapproved-package"),
        (("alpha",), None),
        (("Alpha>=1,<2",), None),
        (("alpha<1",), "unapproved-version"),
        (("alpha<1", "alpha==1.5"), None),
    ],
)
def test_only_approved_names_and_versions_pass(
    approvals: tuple[str, ...], rule: str | None
) -> None:
    found = list(approve([_pin("alpha", "1.5")], approvals, "requirements/service.txt"))
    assert [each.rule for each in found] == ([rule] if rule else [])
    if found:
        assert found[0].place == "requirements/service.txt:7"


def test_a_pre_release_is_an_ordinary_version() -> None:
    pin = _pin("alpha", "2.0b1")
    assert not list(approve([pin], ["alpha>=1"], "x"))
    assert list(approve([pin], ["alpha>=2.0"], "x"))
