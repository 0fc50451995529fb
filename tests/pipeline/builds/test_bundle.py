from __future__ import annotations

import re
import subprocess
import sys
import zipfile
from typing import TYPE_CHECKING

import pytest

from pipeline.builds import bundle

if TYPE_CHECKING:
    from pathlib import Path


def test_the_local_bundle_runs_and_builds_reproducibly(tmp_path: Path) -> None:
    first = bundle.build("host")
    again = bundle.build("host", cache=tmp_path / "cache")
    assert first.read_bytes() == again.read_bytes()
    assert bundle.build("host") == first
    root = tmp_path / "task"
    with zipfile.ZipFile(first) as archive:
        archive.extractall(root)
    run = subprocess.run(
        [sys.executable, "-S", "-c", _CALLS],
        cwd=root,
        env={"PATH": "", "BUCKET": "files", "PYTHONPATH": str(root)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert run.stdout.split() == [str(root / "service" / "__init__.py"), "s3"]


_CALLS = """
import boto3, service.app.handler
print(service.__file__)
print(boto3.client("s3", region_name="eu-west-1").meta.service_model.service_name)
"""


def test_bytecode_is_valid_on_lambda_whatever_the_mtimes() -> None:
    """Flag bits 01 of PEP 552: hash-based, unchecked."""
    with zipfile.ZipFile(bundle.build("host")) as archive:
        compiled = [name for name in archive.namelist() if name.endswith(".pyc")]
        assert len([name for name in compiled if name.startswith("service/")]) > 5
        assert {archive.read(name)[4:8] for name in compiled} == {b"\x01\x00\x00\x00"}


def test_the_bundle_has_bytecode_even_with_a_pycache_prefix(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPYCACHEPREFIX", str(tmp_path / "elsewhere"))
    monkeypatch.setattr(bundle, "_dependencies", lambda *_arguments: None)
    with zipfile.ZipFile(bundle.build("host", cache=tmp_path)) as archive:
        assert [name for name in archive.namelist() if "/__pycache__/main." in name]
    assert not (tmp_path / "elsewhere").exists()


def test_the_aws_bundle_has_aws_wheels_and_only_the_botocore_models_in_use() -> None:
    with zipfile.ZipFile(bundle.build("linux-arm64")) as archive:
        names = archive.namelist()
    libraries = [name for name in names if re.fullmatch(r"pydantic_core/.*\.so", name)]
    assert libraries == ["pydantic_core/_pydantic_core.cpython-313-aarch64-linux-gnu.so"]
    assert not [name for name in names if name.startswith("bin/")]
    models = {name.split("/")[2] for name in names if name.startswith("botocore/data/")}
    assert {model for model in models if not model.endswith(".json")} == {"s3"}


def test_changed_sources_change_the_bundle_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = bundle.digest("host")
    assert before != bundle.digest("linux-arm64")
    service = tmp_path / "service" / "app"
    service.mkdir(parents=True)
    (service / "main.py").write_text("")
    monkeypatch.setattr(bundle, "ROOT", tmp_path)
    lock = tmp_path / "service.txt"
    lock.write_text("")
    monkeypatch.setattr(bundle, "LOCK", lock)
    first = bundle.digest("host")
    (service / "main.py").write_text("# changed")
    second = bundle.digest("host")
    lock.write_text("# changed")
    assert len({before, first, second, bundle.digest("host")}) == 4


def test_each_shipped_file_changes_the_bundle_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Includes non-Python files: added, changed, made executable, deleted."""
    service = tmp_path / "service" / "app"
    service.mkdir(parents=True)
    (service / "main.py").write_text("")
    limits = service / "limits.json"
    monkeypatch.setattr(bundle, "ROOT", tmp_path)
    monkeypatch.setattr(bundle, "_dependencies", lambda *_arguments: None)
    seen: list[str | None] = []

    def shipped() -> str | None:
        with zipfile.ZipFile(bundle.build("host", cache=tmp_path / "cache")) as archive:
            if "service/app/limits.json" not in archive.namelist():
                return None
            entry = archive.getinfo("service/app/limits.json")
            return f"{archive.read(entry).decode()} {entry.external_attr >> 16:o}"

    monkeypatch.setattr(bundle, "LOCK", service / "main.py")
    seen.append(shipped())
    limits.write_text("1")
    seen.append(shipped())
    limits.write_text("2")
    seen.append(shipped())
    limits.chmod(0o755)
    seen.append(shipped())
    limits.unlink()
    seen.append(shipped())
    assert seen == [None, "1 644", "2 644", "2 755", None]


def test_an_uninstallable_lock_is_an_error_and_leaves_no_bundle(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock = tmp_path / "service.txt"
    lock.write_text("fastapi==0.165.0\n")
    monkeypatch.setattr(bundle, "LOCK", lock)
    monkeypatch.setattr(bundle, "ROOT", tmp_path)
    with pytest.raises(bundle.BundleError, match=r"service\.txt cannot be installed: "):
        bundle.build("host", cache=tmp_path / "cache")
    assert not (tmp_path / "cache").exists()
