"""Install a build's downloads, and store them for the next build.

    python3 -m pipeline.builds.downloads packages LOCK   install a lock into .venv
    python3 -m pipeline.builds.downloads cdk FOLDER      install the CDK CLI below FOLDER

Any build may write to the folder of stored downloads, even the build of a refused commit. So a
download is used only if the repository contains its digest: uv hashes each wheel that it unpacks
(`--require-hashes`, with a uv cache of only this build), and the CLI is compared with
`CDK_CLI_SHA512`. A stored file that is missing, damaged or forged is downloaded again. Unpacked or
compiled files and results of another build are never used.

Standard library only: it runs before `.venv` exists.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.names import CDK_CLI, CDK_CLI_SHA512

if TYPE_CHECKING:
    from collections.abc import Sequence

FOLDER = "PITHEAD_DOWNLOADS"
"""The variable with the path of the folder of stored downloads."""


class DownloadError(Exception):
    """A download is missing, or differs from the pinned one."""


def kept() -> Path:
    """Return the folder of stored downloads, which may not exist yet."""
    named = os.environ.get(FOLDER)
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(named) if named else Path(cache) / "pithead" / "downloads"


def install(command: Sequence[str], lock: Path, platform: Sequence[str] = ()) -> None:
    """Run a command of uv that installs a lock, from stored wheels if all of them exist.

    Args:
        command: `uv pip …` without the lock.
        lock: a requirements file in which each pin has hashes.
        platform: pip's options for another platform than this one.

    Raises:
        DownloadError: uv is missing, or a locked package is neither stored nor in the index.
    """
    wanted = [*command, str(lock), "--require-hashes"]
    offline = [*wanted, "--offline", "--no-index", "--find-links", str(kept())]
    if _run(offline).returncode == 0:
        return
    if _fetch(lock, platform) and _run(offline).returncode == 0:
        return
    done = _run(wanted)
    if done.returncode != 0:
        raise DownloadError(f"{lock.name} cannot be installed: {done.stderr.strip()}")


def install_cdk(folder: Path) -> None:
    """Install the CDK CLI below a folder, as `bin/cdk`.

    Raises:
        DownloadError: npm is missing, or the registry has another package than is pinned.
    """
    content = _cdk()
    shutil.rmtree(folder, ignore_errors=True)
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        archive.extractall(folder, filter="data")
    program = folder / "package" / "bin" / "cdk"
    program.chmod(0o755)
    (folder / "bin").mkdir()
    (folder / "bin" / "cdk").symlink_to(program.resolve())


def _run(command: Sequence[str]) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError as error:
        raise DownloadError(f"{command[0]} is missing; install it, or run make setup") from error


def _fetch(lock: Path, platform: Sequence[str]) -> bool:
    """Download the wheels of a lock and store them; pip checks their hashes."""
    with tempfile.TemporaryDirectory() as scratch:
        command = ["pip", "download", "--quiet", "--no-deps", "--require-hashes", *platform]
        command += ["--only-binary", ":all:", "--dest", scratch, "--requirement", str(lock)]
        try:
            done = _run(command)
        except DownloadError:  # without pip no wheels are stored
            return False
        # If a hostile build made the folder unusable, uv still installs from the index.
        with suppress(OSError):
            for wheel in Path(scratch).iterdir():
                _keep(wheel.name, wheel.read_bytes())
        return done.returncode == 0


def _keep(name: str, content: bytes) -> None:
    folder = kept()
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / name
    if file.is_dir() and not file.is_symlink():
        shutil.rmtree(file)
    descriptor, partial = tempfile.mkstemp(dir=folder)
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(content)
    Path(partial).replace(file)


def _cdk() -> bytes:
    """Return the package of the CDK CLI: the stored one, or else the registry's."""
    name = f"aws-cdk-{CDK_CLI}.tgz"
    with suppress(OSError):
        content = (kept() / name).read_bytes()
        if hashlib.sha512(content).hexdigest() == CDK_CLI_SHA512:
            return content
    with tempfile.TemporaryDirectory() as scratch:
        command = ["npm", "pack", "--silent", "--pack-destination", scratch, f"aws-cdk@{CDK_CLI}"]
        done = _run(command)
        file = Path(scratch) / name
        if done.returncode != 0 or not file.exists():
            raise DownloadError(f"npm cannot download aws-cdk {CDK_CLI}: {done.stderr.strip()}")
        content = file.read_bytes()
    found = hashlib.sha512(content).hexdigest()
    if found != CDK_CLI_SHA512:
        raise DownloadError(
            f"aws-cdk {CDK_CLI}: found a package with SHA-512 {found}; allowed is "
            f"{CDK_CLI_SHA512}. Check the registry, or change CDK_CLI_SHA512 in pipeline/names.py"
        )
    with suppress(OSError):
        _keep(name, content)
    return content


def main(arguments: Sequence[str]) -> int:
    """Install packages or the CDK CLI; on failure, print one sentence and return 1."""
    parser = argparse.ArgumentParser(prog="python3 -m pipeline.builds.downloads")
    parser.add_argument("what", choices=["packages", "cdk"])
    parser.add_argument("where", type=Path, help="the lock file, or the folder for the CLI")
    given = parser.parse_args(arguments)
    try:
        if given.what == "cdk":
            install_cdk(given.where)
        else:
            install(["uv", "pip", "sync", "--quiet"], given.where)
    except DownloadError as error:
        sys.stderr.write(f"downloads: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
