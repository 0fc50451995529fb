from __future__ import annotations

import hashlib
import re
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline import bundle


def _all_bytes(folder: Path) -> str:
    sums = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            sums.update(f"{path.relative_to(folder)}\0".encode() + path.read_bytes())
    return sums.hexdigest()


def test_the_bundle_of_this_machine_runs_by_itself() -> None:
    folder = bundle.build("host")
    assert bundle.build("host") == folder
    run = subprocess.run(
        [sys.executable, "-S", "-c", "import service.handler; print(service.__file__)"],
        cwd=folder,
        env={"PATH": "", "BUCKET": "files", "PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert Path(run.stdout.strip()).parent == folder / "service"


def test_the_same_sources_make_the_same_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = (bundle.ROOT / "requirements" / "service.txt").read_text()
    small = re.search(r"^six==.*?(?=^\S|\Z)", whole, re.MULTILINE | re.DOTALL)
    assert small
    lock = tmp_path / "service.txt"
    lock.write_text(small[0])
    monkeypatch.setattr(bundle, "_LOCK", lock)
    monkeypatch.setattr(bundle, "digest", lambda _platform: "d")
    first = bundle.build("host", cache=tmp_path / "first")
    again = bundle.build("host", cache=tmp_path / "again")
    assert (first / "six.py").exists()
    assert _all_bytes(first) == _all_bytes(again)


def test_bytecode_is_kept_by_lambda_whatever_the_files_are_dated() -> None:
    """Flag bits 01 of PEP 552: by hash, unchecked."""
    compiled = list(bundle.build("host").rglob("service/__pycache__/*.pyc"))
    assert len(compiled) > 5
    assert {path.read_bytes()[4:8] for path in compiled} == {b"\x01\x00\x00\x00"}


def test_the_bundle_for_aws_has_wheels_for_aws() -> None:
    folder = bundle.build("linux-arm64")
    libraries = [path.name for path in folder.rglob("pydantic_core/*.so")]
    assert libraries == ["_pydantic_core.cpython-313-aarch64-linux-gnu.so"]
    assert not list(folder.glob("bin"))


def test_other_sources_are_another_bundle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = bundle.digest("host")
    assert before != bundle.digest("linux-arm64")
    service = tmp_path / "service"
    service.mkdir()
    (service / "app.py").write_text("")
    monkeypatch.setattr(bundle, "ROOT", tmp_path)
    monkeypatch.setattr(bundle, "_SERVICE", service)
    lock = tmp_path / "service.txt"
    lock.write_text("")
    monkeypatch.setattr(bundle, "_LOCK", lock)
    first = bundle.digest("host")
    (service / "app.py").write_text("# changed")
    second = bundle.digest("host")
    lock.write_text("# changed")
    assert len({before, first, second, bundle.digest("host")}) == 4


def test_a_lock_that_cannot_be_installed_is_told_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock = tmp_path / "service.txt"
    lock.write_text("fastapi==0.165.0\n")
    monkeypatch.setattr(bundle, "_LOCK", lock)
    monkeypatch.setattr(bundle, "ROOT", tmp_path)
    monkeypatch.setattr(bundle, "_SERVICE", tmp_path / "service")
    with pytest.raises(bundle.BundleError, match=r"service\.txt cannot be installed: "):
        bundle.build("host", cache=tmp_path / "cache")
    assert not [path for path in (tmp_path / "cache").iterdir() if path.suffix != ".partial"]
