"""Find files in a bundle that look like own source code but come from elsewhere.

Own source code is text below `service/app/`, which reviewers and scanners read. A binary, an
archive, a vendored folder, package metadata, a licence file, or a module with the name of a
deployed package has another origin. It belongs in the lock, where advisories, licences and the SBOM
cover it. A copy of a package without any of these marks counts as own source code, and is reviewed
and scanned.
"""

from __future__ import annotations

import re
import zipfile
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from pipeline.gates.report.findings import Finding
from pipeline.gates.supply_chain.contents import ContentsError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TOOL = "sources"
_OWN = "service"
_VENDORED = re.compile(
    r"_?vendor(ed)?|third[-_]?party|external|extern|site-packages|node_modules"
    r"|.+\.(dist-info|egg-info|data|egg)",
    re.IGNORECASE,
)
_PACKAGED = re.compile(
    r"(METADATA|PKG-INFO|RECORD|WHEEL|(LICEN[CS]E|COPYING|NOTICE|AUTHORS)([-._].*)?)", re.IGNORECASE
)
_COMPILED = re.compile(r"(?P<folder>.*)__pycache__/(?P<module>[^/]+)\.[^./]+\.pyc")
_ADVICE = (
    "declare the package in group service of pyproject.toml and run make lock, or remove the file"
)


def check(bundle: Path) -> Iterator[Finding]:
    """Find files of another origin among the own source files of a bundle.

    Raises:
        ContentsError: the bundle cannot be read.
    """
    try:
        with zipfile.ZipFile(bundle) as archive:
            names = set(archive.namelist())
            packages = {name.split("/")[0].removesuffix(".py") for name in names} - {_OWN}
            for name in sorted(names):
                if name.startswith(f"{_OWN}/") and not name.endswith("/"):
                    compiled = _COMPILED.fullmatch(name)
                    if compiled and f"{compiled['folder']}{compiled['module']}.py" in names:
                        continue
                    yield from _check_file(name, archive.read(name), packages)
    except (OSError, zipfile.BadZipFile) as error:
        raise ContentsError(f"the bundle cannot be read: {error}") from error


def _check_file(name: str, content: bytes, packages: set[str]) -> Iterator[Finding]:
    path = PurePosixPath(name)
    folders, inside = path.parts[1:-1], {*path.parts[1:-1], path.stem}
    if not _is_text(content):
        yield _finding("binary-source", name, "is not text, so that it cannot be reviewed")
    elif any(_VENDORED.fullmatch(each) for each in folders):
        yield _finding("vendored-source", name, "is in a folder of vendored packages")
    elif _PACKAGED.fullmatch(path.name):
        yield _finding("vendored-source", name, "is part of a third-party package")
    elif shadowed := sorted(inside & packages):
        yield _finding(
            "vendored-source", name, f"has the name of the deployed package {shadowed[0]}"
        )


def _is_text(content: bytes) -> bool:
    try:
        return "\0" not in content.decode()
    except UnicodeDecodeError:
        return False


def _finding(rule: str, path: str, what: str) -> Finding:
    message = f"{path} is deployed and {what}; {_ADVICE}"
    return Finding(TOOL, rule, message, path=path, subject=path)
