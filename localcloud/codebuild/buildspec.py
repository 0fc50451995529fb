"""Parse buildspecs ("Build specification reference for CodeBuild", version 0.2)."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any

import yaml

PHASES = ("install", "pre_build", "build", "post_build")
_TOP_LEVEL_KEYS = {
    "version",
    "run-as",
    "env",
    "proxy",
    "batch",
    "phases",
    "reports",
    "artifacts",
    "cache",
}
_PHASE_KEYS = {"run-as", "on-failure", "runtime-versions", "commands", "steps", "finally"}
_ENV_KEYS = {
    "shell", "variables", "parameter-store", "secrets-manager", "exported-variables",
    "git-credential-helper",
}  # fmt: skip
_ARTIFACTS_KEYS = {
    "files", "name", "discard-paths", "base-directory", "exclude-paths", "enable-symlinks",
    "s3-prefix", "secondary-artifacts",
}  # fmt: skip
_REPORT_KEYS = {"files", "file-format", "base-directory", "discard-paths"}
_CACHE_KEYS = {"paths", "key", "fallback-keys", "action"}
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class BuildspecError(Exception):
    """A buildspec is invalid; `code` is AWS's status code of the phase."""

    def __init__(self, message: str, code: str = "YAML_FILE_ERROR") -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True)
class Commands:
    """The commands of a phase, and its `finally` commands, which always run."""

    commands: tuple[str, ...] = ()
    finally_: tuple[str, ...] = ()
    on_failure: str = ""
    """ABORT, CONTINUE, or "" for the phase's own transition."""


@dataclass(frozen=True)
class Files:
    """Patterns that select files below a folder."""

    files: tuple[str, ...] = ()
    base_directory: str = "."
    exclude: tuple[str, ...] = ()
    discard_paths: bool = False


@dataclass(frozen=True)
class Buildspec:
    """A parsed buildspec."""

    phases: dict[str, Commands]
    shell: str = "sh"
    runtimes: dict[str, str] = field(default_factory=dict)
    variables: dict[str, str] = field(default_factory=dict)
    parameters: dict[str, str] = field(default_factory=dict)
    secrets: dict[str, str] = field(default_factory=dict)
    exported: tuple[str, ...] = ()
    artifacts: Files | None = None
    secondary: dict[str, Files] = field(default_factory=dict)
    reports: dict[str, Files] = field(default_factory=dict)
    cache: tuple[str, ...] = ()


def parse(text: str) -> Buildspec:
    """Read a buildspec, YAML or JSON.

    Raises:
        BuildspecError: it is malformed, or uses a feature that the local cloud does not have.
    """
    try:
        document = json.loads(text) if text.lstrip().startswith("{") else yaml.safe_load(text)
    except (json.JSONDecodeError, yaml.YAMLError) as error:
        raise BuildspecError(" ".join(str(error).split())) from error
    top = _mapping("the buildspec", document, _TOP_LEVEL_KEYS)
    if str(top.get("version")) != "0.2":
        raise BuildspecError(f"unknown buildspec version {top.get('version')}; use 0.2")
    for key in ("run-as", "proxy", "batch"):
        if key in top:
            raise _unsupported(key)
    phases = _mapping("phases", top.get("phases"), set(PHASES))
    if not phases:
        raise BuildspecError("phases is missing or empty; name at least one phase")
    env = _mapping("env", top.get("env"), _ENV_KEYS)
    shell = str(env.get("shell") or "sh")
    if shell not in {"sh", "bash", "/bin/sh", "/bin/bash"}:
        raise _unsupported(f"env.shell {shell}")
    artifacts = _mapping("artifacts", top.get("artifacts"), _ARTIFACTS_KEYS)
    cache = _mapping("cache", top.get("cache"), _CACHE_KEYS)
    for key in ("key", "fallback-keys", "action"):
        if key in cache:
            raise _unsupported(f"cache.{key}")
    install = phases.get("install") or {}
    return Buildspec(
        {name: _commands(name, phases.get(name)) for name in PHASES},
        shell.rsplit("/", 1)[-1],
        runtimes=_texts("phases.install.runtime-versions", install.get("runtime-versions")),
        variables=_texts("env.variables", env.get("variables")),
        parameters=_texts("env.parameter-store", env.get("parameter-store")),
        secrets=_texts("env.secrets-manager", env.get("secrets-manager")),
        exported=_names(env.get("exported-variables")),
        artifacts=_files("artifacts", artifacts) if "files" in artifacts else None,
        secondary={
            name: _files(f"artifacts.secondary-artifacts.{name}", each)
            for name, each in _mapping(
                "artifacts.secondary-artifacts", artifacts.get("secondary-artifacts")
            ).items()
        },
        reports={
            name: _report(name, each)
            for name, each in _mapping("reports", top.get("reports")).items()
        },
        cache=_list("cache.paths", cache.get("paths")),
    )


def _unsupported(what: str) -> BuildspecError:
    return BuildspecError(f"{what} is not part of the local cloud", "INVALID_INPUT")


def _mapping(where: str, value: Any, known: set[str] | None = None) -> dict[str, Any]:
    if value is None and where != "the buildspec":
        return {}
    if not isinstance(value, dict):
        raise BuildspecError(f"{where} is {type(value).__name__}; a mapping is expected")
    unknown = value.keys() - known if known is not None else set()
    if unknown:
        raise BuildspecError(f"unknown key {min(map(str, unknown))} in {where}")
    return value


def _list(where: str, value: Any) -> tuple[str, ...]:
    found = [value] if isinstance(value, str) else value or []
    if not isinstance(found, list) or not all(isinstance(each, str) for each in found):
        raise BuildspecError(f"{where} must be a list of strings")
    return tuple(found)


def _texts(where: str, value: Any) -> dict[str, str]:
    texts = {}
    for name, each in _mapping(where, value).items():
        if isinstance(each, dict | list):
            raise BuildspecError(f"{where}.{name} is {type(each).__name__}; a string is expected")
        texts[str(name)] = str(each).lower() if isinstance(each, bool) else str(each)
    return texts


def _names(value: Any) -> tuple[str, ...]:
    names = _list("env.exported-variables", value)
    for name in names:
        if not _NAME.fullmatch(name):
            raise BuildspecError(f"env.exported-variables: {name} is not a variable name")
    return names


def _commands(phase: str, value: Any) -> Commands:
    declared = _mapping(f"phases.{phase}", value, _PHASE_KEYS)
    for key in ("run-as", "steps"):
        if key in declared:
            raise _unsupported(f"phases.{phase}.{key}")
    on_failure = str(declared.get("on-failure") or "")
    if on_failure not in {"", "ABORT", "CONTINUE"}:
        raise _unsupported(f"phases.{phase}.on-failure {on_failure}")
    return Commands(
        _sequence("Commands", declared.get("commands")),
        _sequence("Finally", declared.get("finally")),
        on_failure,
    )


def _sequence(key: str, value: Any) -> tuple[str, ...]:
    found = [value] if isinstance(value, str) else value or []
    if not isinstance(found, list):
        raise BuildspecError(f"Expected {key} to be a sequence of commands")
    for index, each in enumerate(found):
        if not isinstance(each, str):
            raise BuildspecError(
                f"Expected {key}[{index}] to be of string type: "
                f"found {'subkeys' if isinstance(each, dict) else type(each).__name__} instead"
            )
    return tuple(found)


def _files(where: str, value: Any) -> Files:
    declared = _mapping(where, value, _ARTIFACTS_KEYS)
    for key in ("enable-symlinks", "s3-prefix"):
        if _boolean(declared.get(key)) or (key == "s3-prefix" and key in declared):
            raise _unsupported(f"{where}.{key}")
    return _selection(where, declared)


def _report(name: str, value: Any) -> Files:
    declared = _mapping(f"reports.{name}", value, _REPORT_KEYS)
    kind = str(declared.get("file-format") or "JUNITXML")
    if kind.upper() != "JUNITXML":
        raise _unsupported(f"reports.{name}.file-format {kind}")
    return _selection(f"reports.{name}", declared)


def _selection(where: str, declared: dict[str, Any]) -> Files:
    files = _list(f"{where}.files", declared.get("files"))
    if not files:
        raise BuildspecError(f"{where}.files is missing or empty; name at least one pattern")
    return Files(
        files,
        str(declared.get("base-directory") or "."),
        _list(f"{where}.exclude-paths", declared.get("exclude-paths")),
        _boolean(declared.get("discard-paths")),
    )


def _boolean(value: Any) -> bool:
    return str(value).lower() in {"yes", "true"}
