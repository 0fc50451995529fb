"""What goes to Lambda: the service and its locked dependencies, built without Docker.

The folder is the same, byte for byte, for the same sources, lock and platform, so that an
unchanged service is an unchanged asset: nothing is uploaded again.
"""

from __future__ import annotations

import compileall
import hashlib
import platform
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from py_compile import PycInvalidationMode

ROOT = Path(__file__).parent.parent
_LOCK = ROOT / "requirements" / "service.txt"
_SERVICE = ROOT / "service"


class BundleError(Exception):
    """The bundle could not be built."""


@dataclass(frozen=True)
class Platform:
    """Where a bundle runs; `wheels` and `python` are None for this very interpreter."""

    architecture: str
    runtime: str
    wheels: str | None = None
    python: str | None = None


def target(name: str) -> Platform:
    """The platform that the context key `bundle` names.

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
    """SHA-256 over all that the bundle is made from."""
    sums = hashlib.sha256(f"{target(platform_name)}".encode())
    for path in [_LOCK, *sorted(_SERVICE.rglob("*.py"))]:
        sums.update(f"{path.relative_to(ROOT)}\0".encode())
        sums.update(path.read_bytes())
    return sums.hexdigest()


def build(platform_name: str, cache: Path = ROOT / ".cache" / "bundle") -> Path:
    """The folder of the bundle, built unless it is there already.

    Raises:
        BundleError: the lock cannot be installed for the platform.
    """
    folder = cache / digest(platform_name)
    if folder.exists():
        return folder
    partial = folder.with_suffix(".partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    _install(target(platform_name), partial)
    shutil.copytree(_SERVICE, partial / "service", ignore=shutil.ignore_patterns("__pycache__"))
    # CDK dates every file of an asset 1980, so that bytecode checked by date would be thrown
    # away at every cold start. Only bytecode of Lambda's own minor version is of use to it.
    if target(platform_name).python in {None, f"3.{sys.version_info.minor}"}:
        compileall.compile_dir(
            partial,
            quiet=1,
            stripdir=partial,
            invalidation_mode=PycInvalidationMode.UNCHECKED_HASH,
            workers=0,
        )
    partial.rename(folder)
    return folder


def _install(platform_: Platform, folder: Path) -> None:
    chosen = (
        ["--python-platform", platform_.wheels, "--python-version", platform_.python]
        if platform_.wheels and platform_.python
        else ["--python", sys.executable]
    )
    command = ["uv", "pip", "install", "--quiet", "--target", str(folder), "--link-mode", "copy"]
    command += ["--no-deps", "--only-binary", ":all:", "--require-hashes", *chosen]
    command += ["--requirement", str(_LOCK)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError as error:
        raise BundleError("uv is missing; install it, or run make setup") from error
    if done.returncode != 0:
        raise BundleError(f"{_LOCK.name} cannot be installed: {done.stderr.strip()}")
    for leftover in ("bin", ".lock"):
        path = folder / leftover
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    # How and when a package was installed would make every bundle another one.
    for record in folder.glob("*.dist-info/*"):
        if record.name in {"RECORD", "INSTALLER", "REQUESTED", "direct_url.json", "uv_cache.json"}:
            record.unlink()
