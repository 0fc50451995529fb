"""Build the bundles for Lambda without Docker: the service, the canary judge and the journeys.

The service's bundle contains its locked dependencies; the others need only the standard library.

A bundle is the same, byte for byte, for the same sources, lock and platform, so that an unchanged
service is an unchanged asset and is not uploaded again. Dependencies are zipped once for each lock;
the service's bundle is a copy of that zip with the service appended. Both are cached in the
checkout. No build uses the cache of another build (`pipeline.delivery.build_steps`).
"""

from __future__ import annotations

import hashlib
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.builds import downloads
from pipeline.builds.downloads import DownloadError
from pipeline.service import APP, DELIVERY, part

if TYPE_CHECKING:
    from collections.abc import Iterable

ROOT = Path(__file__).parents[2]
LOCK = ROOT / "requirements" / "service.txt"
_APP = ("service/__init__.py", f"{APP}/**/*")
_EVERY = (
    "pipeline/__init__.py", "pipeline/names.py",
    "service/__init__.py", f"{DELIVERY}/__init__.py", f"{DELIVERY}/name.py",
)  # fmt: skip
_JUDGE = (*_EVERY, "pipeline/judge/statistics/*.py", "pipeline/judge/*.py")
_SYNTHETIC = (
    *_EVERY, "pipeline/service.py", "pipeline/journeys/*.py", f"{DELIVERY}/journey.py",
)  # fmt: skip


class BundleError(Exception):
    """The bundle could not be built."""


@dataclass(frozen=True)
class Platform:
    """The platform of a bundle; `wheels` and `python` are None for the running interpreter."""

    architecture: str
    runtime: str
    wheels: str | None = None
    python: str | None = None


def target(name: str) -> Platform:
    """Return the platform for a value of the context key `bundle`.

    Raises:
        BundleError: there is no such platform.
    """
    if name == "linux-arm64":
        return Platform("arm64", "python3.13", "aarch64-manylinux2014", "3.13")
    if name == "host":
        machine = "arm64" if platform.machine() in {"arm64", "aarch64"} else "x86_64"
        return Platform(machine, f"python3.{sys.version_info.minor}")
    raise BundleError(
        f"context key bundle: found {name!r}; allowed are linux-arm64 (AWS) and host (this machine)"
    )


def digest(platform_name: str) -> str:
    """Return the SHA-256 of all inputs of the service's bundle."""
    return _digest(platform_name, LOCK, *sources(), *_kept_data())


def sources() -> list[Path]:
    """Return the files of the service's app, all of which are shipped."""
    found = (path for pattern in _APP for path in ROOT.glob(pattern))
    return sorted(path for path in found if path.is_file() and "__pycache__" not in path.parts)


def build(platform_name: str, cache: Path = ROOT / ".cache" / "bundle") -> Path:
    """Return the service's bundle (a zip), and build it unless it is cached.

    Raises:
        BundleError: the lock cannot be installed for the platform.
    """
    file = cache / f"{digest(platform_name)}.zip"
    if not file.exists():
        dependencies = _dependencies(platform_name, cache)
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder)
            _copy(sources(), root)
            _finish(file, root, platform_name, onto=dependencies)
    return file


def build_all(platform_name: str) -> tuple[Path, Path, Path]:
    """Return the bundles of the service, the judge and the journeys, and build them if needed.

    Raises:
        BundleError: see `build`.
    """
    return build(platform_name), build_judge(platform_name), build_synthetic(platform_name)


def build_judge(platform_name: str, cache: Path = ROOT / ".cache" / "bundle") -> Path:
    """Return the judge's bundle (a zip), and build it unless it is cached."""
    return _own("judge", _JUDGE, platform_name, cache)


def build_synthetic(platform_name: str, cache: Path = ROOT / ".cache" / "bundle") -> Path:
    """Return the journeys' bundle (a zip), and build it unless it is cached."""
    return _own("synthetic", _SYNTHETIC, platform_name, cache)


def _own(name: str, patterns: tuple[str, ...], platform_name: str, cache: Path) -> Path:
    """Return a bundle of only the repository's own sources, and build it unless it is cached."""
    files = sorted(path for pattern in patterns for path in ROOT.glob(pattern))
    file = cache / f"{name}-{_digest(platform_name, *files)}.zip"
    if not file.exists():
        with tempfile.TemporaryDirectory() as folder:
            _copy(files, Path(folder))
            _finish(file, Path(folder), platform_name)
    return file


def _copy(files: Iterable[Path], root: Path) -> None:
    """Copy files of the checkout to the same paths below another root."""
    for file in files:
        copy = root / file.relative_to(ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, copy)


def _dependencies(platform_name: str, cache: Path) -> Path:
    file = cache / f"dependencies-{_digest(platform_name, LOCK, *_kept_data())}.zip"
    if not file.exists():
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder)
            _install(target(platform_name), root)
            _prune(root)
            _finish(file, root, platform_name)
    return file


def _kept_data() -> list[Path]:
    """Return the file that says what the bundle keeps of botocore, if the service has one."""
    return list(ROOT.glob(f"{DELIVERY}/bundle.py"))


def _digest(platform_name: str, *paths: Path) -> str:
    # The zip also depends on this module.
    sums = hashlib.sha256(f"{target(platform_name)}".encode() + Path(__file__).read_bytes())
    for path in paths:
        content = path.read_bytes()
        sums.update(f"{path.relative_to(ROOT)}\0{_mode(path):o} {len(content)}\0".encode())
        sums.update(content)
    return sums.hexdigest()


def _finish(file: Path, root: Path, platform_name: str, onto: Path | None = None) -> None:
    """Compile the modules of a folder and zip it, appended to the zip `onto` if there is one."""
    # Only for the same minor version: Lambda cannot use other bytecode.
    if target(platform_name).python in {None, f"3.{sys.version_info.minor}"}:
        _compile(root)
    file.parent.mkdir(parents=True, exist_ok=True)
    partial = file.with_suffix(f".{os.getpid()}")
    if onto:
        shutil.copyfile(onto, partial)
    with zipfile.ZipFile(partial, "a" if onto else "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(path for path in root.rglob("*") if path.is_file()):
            entry = zipfile.ZipInfo(str(path.relative_to(root)))  # dated 1980
            entry.external_attr = _mode(path) << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, path.read_bytes())
    partial.rename(file)


def _mode(path: Path) -> int:
    return 0o755 if os.access(path, os.X_OK) else 0o644


def _compile(root: Path) -> None:
    """Compile modules in a process with fixed variables, so that bytecode depends only on sources.

    The hash seed is fixed, and bytecode is written next to its source, where Lambda looks for it,
    even if the builder sets `PYTHONPYCACHEPREFIX`. It is checked by hash, because Lambda's file
    dates would invalidate it at every cold start.
    """
    command = [sys.executable, "-m", "compileall", "-q", "-s", str(root)]
    command += ["--invalidation-mode", "unchecked-hash", str(root)]
    # The exit code is ignored: files that are no Python of this version stay uncompiled.
    subprocess.run(command, env={"PYTHONHASHSEED": "0"}, capture_output=True, check=False)


def _prune(root: Path) -> None:
    """Remove files that Lambda does not need, and files that differ in each installation."""
    shutil.rmtree(root / "bin", ignore_errors=True)
    (root / ".lock").unlink(missing_ok=True)
    for record in root.glob("*.dist-info/*"):
        if record.name in {"RECORD", "INSTALLER", "REQUESTED", "direct_url.json", "uv_cache.json"}:
            record.unlink()
    # botocore's descriptions of all AWS services are larger than everything else together.
    kept = part("bundle")
    called = set(kept.AWS_SERVICES) if kept else set()
    for service in (root / "botocore" / "data").glob("*/"):
        if service.name not in called:
            shutil.rmtree(service)


def _install(platform_: Platform, folder: Path) -> None:
    command = ["uv", "pip", "install", "--quiet", "--target", str(folder), "--link-mode", "copy"]
    command += ["--no-deps", "--only-binary", ":all:"]
    pip: list[str] = []
    if platform_.wheels and platform_.python:
        command += ["--python-platform", platform_.wheels, "--python-version", platform_.python]
        pip = ["--python-version", platform_.python, "--implementation", "cp"]
        pip += ["--platform", _pip_platform(platform_.wheels)]
    else:
        command += ["--python", sys.executable]
    try:
        downloads.install([*command, "--requirement"], LOCK, pip)
    except DownloadError as error:
        raise BundleError(str(error)) from error


def _pip_platform(wheels: str) -> str:
    """Return pip's name for what uv calls `aarch64-manylinux2014`."""
    machine, _, standard = wheels.partition("-")
    return f"{standard}_{machine}"
