"""Rules for every file of the repository."""

from __future__ import annotations

import io
import re
import subprocess
import tokenize
import tomllib
from functools import cache
from pathlib import Path
from typing import Any

import click
import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from console.cli import pithead
from pipeline.gates import gate, security
from pipeline.names import CDK_CLI

ROOT = Path(__file__).parents[2]
GROUPS = (
    "service", "release", "scanners", "supply", "template", "integration", "load", "synth", "dev",
)  # fmt: skip

# Home folders of the author, and private package indexes.
_MACHINE = re.compile(
    r"(?<![\w.$}/])/(?:home|Users|work|mnt)/\w|(?:index-url|index_url|registry)\s*[ =]\s*\W?https?:"
)
# The hosts of the public package indexes; the brackets keep this line from matching itself.
_INDEX = re.compile(r"pypi[.]org|pythonhosted[.]org|npmjs[.](?:org|com)", re.IGNORECASE)
_SECRET = re.compile(
    r"AKIA(?!IOSFODNN7EXAMPLE)[0-9A-Z]{16}|-----BEGIN [A-Z ]*PRIVATE KEY|gh[pousr]_\w{36}"
)
_WAIVER = re.compile(r"#\s*(noqa|type:\s*ignore)\b")
_REASONED = re.compile(
    r"#\s*(?:noqa:\s*[A-Z]+\d+(?:,\s*[A-Z]+\d+)*|type:\s*ignore\[[\w, -]+\])"
    r"(?:\s+#\s*noqa:\s*[A-Z]+\d+)*\s+#\s*\S"
)


@cache
def _files() -> tuple[Path, ...]:
    """Return all files that are tracked, or not ignored."""
    done = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return tuple(ROOT / name for name in done.stdout.splitlines() if (ROOT / name).is_file())


def _lines(path: Path) -> list[tuple[str, str]]:
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return []
    name = path.relative_to(ROOT)
    return [(f"{name}:{at}", line) for at, line in enumerate(text.splitlines(), 1)]


def test_no_file_names_a_machine_or_contains_a_secret() -> None:
    found = [
        f"{where}: {line.strip()}"
        for path in _files()
        if path != Path(__file__)
        for where, line in _lines(path)
        if _MACHINE.search(line) or _SECRET.search(line)
    ]
    assert not found, "\n".join(found)


def test_no_file_names_a_package_index() -> None:
    """A private index serves everything unchanged, so nothing may depend on the public one."""
    found = [
        f"{where}: {line.strip()}"
        for path in _files()
        for where, line in _lines(path)
        if _INDEX.search(line)
    ]
    assert not found, "\n".join(found)


def test_every_waiver_says_why() -> None:
    """In the comment itself, or in the one above."""
    found = []
    for path in _files():
        if path.suffix != ".py":
            continue
        comments = {
            token.start[0]: token.string
            for token in tokenize.generate_tokens(io.StringIO(path.read_text("utf-8")).readline)
            if token.type == tokenize.COMMENT
        }
        found += [
            f"{path.relative_to(ROOT)}:{line}: {comment}"
            for line, comment in comments.items()
            if _WAIVER.match(comment)
            and not _REASONED.match(comment)
            and (line - 1 not in comments or _WAIVER.match(comments[line - 1]))
        ]
    assert not found, "\n".join(found)


def _locked(group: str) -> dict[str, Version]:
    """Return the pins of a lock, which names no index; every pin has a hash."""
    text = (ROOT / "requirements" / f"{group}.txt").read_text()
    assert "://" not in text
    assert not re.search(r"^\s*-", text.replace("    --hash=", ""), re.MULTILINE)
    pins: dict[str, Version] = {}
    for block in re.split(r"\n(?=\S)", text):
        if block.startswith("#") or not block.strip():
            continue
        requirement = Requirement(block.split("\\")[0].split(" --hash")[0].strip())
        (specifier,) = requirement.specifier
        assert specifier.operator == "==", block
        assert re.search(r"--hash=sha256:[0-9a-f]{64}\b", block), block
        pins[canonicalize_name(requirement.name)] = Version(specifier.version)
    return pins


def _requirements_of(group: str) -> list[Requirement]:
    groups: dict[str, list[Any]] = _project()["dependency-groups"]
    found: list[Requirement] = []
    for each in groups[group]:
        found += (
            [Requirement(each)]
            if isinstance(each, str)
            else _requirements_of(each["include-group"])
        )
    return found


@cache
def _project() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())


@pytest.mark.parametrize("group", GROUPS)
def test_each_lock_contains_what_its_group_requires(group: str) -> None:
    pins = _locked(group)
    for requirement in _requirements_of(group):
        assert canonicalize_name(requirement.name) in pins, requirement
        assert pins[canonicalize_name(requirement.name)] in requirement.specifier, requirement


def test_the_tested_versions_are_the_delivered_ones() -> None:
    """Every lock has the same version of a package, uv's own included."""
    locks = {group: _locked(group) for group in (*GROUPS, "uv")}
    for group, pins in locks.items():
        for name, version in pins.items():
            assert locks["dev"][name] == version, f"{name} in {group}.txt and dev.txt"
    assert set(locks["service"]) < set(locks["synth"])


def test_workflows_pin_actions_by_commit_and_ask_for_no_more_than_they_need() -> None:
    workflows = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
    assert workflows
    for path in workflows:
        text = path.read_text()
        used = re.findall(r"uses:\s*(\S+)(.*)", text)
        for action, comment in used:
            assert re.fullmatch(r"[\w./-]+@[0-9a-f]{40}", action), f"{path.name}: {action}"
            assert re.search(r"# v\d", comment), f"{path.name}: {action} does not say its version"
        assert "pull_request_target" not in text, path.name
        workflow = yaml.safe_load(text)
        assert workflow["permissions"] == {}, path.name
        for name, job in workflow["jobs"].items():
            allowed = {"contents": "read", "security-events": "write"}
            assert job["permissions"].items() <= allowed.items(), f"{path.name}: {name}"
            assert job["timeout-minutes"], f"{path.name}: {name}"


def _anchors(document: Path) -> set[str]:
    """Return the anchors of a page's headings, as GitHub generates them."""
    headings = re.findall(r"^#+ (.+)$", document.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", each.lower()).replace(" ", "-") for each in headings}


def test_each_link_in_the_documents_leads_to_a_file_and_a_heading() -> None:
    for path in _files():
        if path.suffix != ".md":
            continue
        links = re.findall(r"\]\((?!https?:)([^)#\s]*)(?:#([^)\s]+))?\)", path.read_text())
        for target, anchor in links:
            linked = path.parent / target if target else path
            assert linked.exists(), f"{path.relative_to(ROOT)}: {target}"
            if anchor:
                assert anchor in _anchors(linked), f"{path.relative_to(ROOT)}: {target}#{anchor}"


def test_each_path_in_the_documents_exists() -> None:
    """Tests, too: the part after `::` is checked by each page's own tests."""
    tops = {path.relative_to(ROOT).parts[0] for path in _files()}
    folders = "|".join(sorted(each for each in tops if (ROOT / each).is_dir()))
    path_ = re.compile(rf"`((?:{folders})/[\w./-]*)(?:::[\w:]+)?`")
    for document in _files():
        if document.suffix == ".md":
            for path in path_.findall(document.read_text()):
                exists = (ROOT / path).exists() or "NAME" in path
                assert exists, f"{document.relative_to(ROOT)}: {path}"


def test_each_command_in_the_documents_exists() -> None:
    """With each of its long options."""
    shown = re.compile(r"^(?:\$ )?pithead ([a-z].*)$|`pithead ([a-z][^`]*)`", re.MULTILINE)
    for path in _files():
        if path.suffix != ".md":
            continue
        for line, span in shown.findall(path.read_text()):
            words = (line or span).partition("#")[0].split()
            command: click.Command | None = pithead
            while words and isinstance(command, click.Group):
                command = command.get_command(click.Context(command), words.pop(0))
            assert command is not None, f"{path.relative_to(ROOT)}: pithead {line or span}"
            options = {each for option in command.params for each in option.opts}
            named = {each.partition("=")[0] for each in words if each.startswith("--")}
            assert named <= options | {"--help"}, f"{path.relative_to(ROOT)}: {line or span}"


def test_the_documents_name_the_cli_that_is_pinned() -> None:
    for path in _files():
        if path.suffix == ".md":
            assert set(re.findall(r"aws-cdk@([\d.]+\d)", path.read_text())) <= {CDK_CLI}, path


def test_our_own_code_passes_our_own_security_gate(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gate, "REPORTS", tmp_path)
    assert gate.main("security", security.run) == 0


def test_a_full_run_includes_every_test(pytestconfig: pytest.Config) -> None:
    """A pattern without a slash matches a folder of that name anywhere."""
    patterns = pytestconfig.getini("norecursedirs")
    folders = {path.parent.relative_to(ROOT) for path in (ROOT / "tests").rglob("test_*.py")}
    left_out = {
        str(folder)
        for folder in folders
        for each in (folder, *folder.parents)
        if any(each.match(pattern) for pattern in patterns if each.name)
    }
    # A second service runs its tests during its release.
    assert left_out == {
        "tests/service/integration",
        "tests/other_service/tests/service/app",
        "tests/other_service/tests/service/integration",
    }
