"""Buildspecs ("Build specification reference for CodeBuild", version 0.2)."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

import yaml

PHASES = ("install", "pre_build", "build", "post_build")
_TOP = {"version", "run-as", "env", "proxy", "batch", "phases", "reports", "artifacts", "cache"}


class BuildspecError(Exception):
    """A buildspec that cannot be run; the message begins with AWS's own code."""


@dataclass(frozen=True)
class Commands:
    """The commands of a phase, and those that run whatever became of them."""

    commands: tuple[str, ...] = ()
    finally_: tuple[str, ...] = ()
    on_failure: str = "ABORT"


@dataclass(frozen=True)
class Artifacts:
    """What a build leaves: files below a folder, by patterns."""

    base_directory: str = "."
    files: tuple[str, ...] = ()
    discard_paths: bool = False


@dataclass(frozen=True)
class Buildspec:
    """A buildspec that has been read."""

    phases: dict[str, Commands]
    variables: dict[str, str] = field(default_factory=dict)
    parameters: dict[str, str] = field(default_factory=dict)
    secrets: dict[str, str] = field(default_factory=dict)
    exported: tuple[str, ...] = ()
    artifacts: Artifacts | None = None
    secondary: dict[str, Artifacts] = field(default_factory=dict)
    reports: dict[str, dict[str, Any]] = field(default_factory=dict)
    cache: tuple[str, ...] = ()


def parse(text: str) -> Buildspec:
    """Read a buildspec, YAML or JSON.

    Raises:
        BuildspecError: it is malformed, or asks for what is not part of the local cloud.
    """
    try:
        document = json.loads(text) if text.lstrip().startswith("{") else yaml.safe_load(text)
    except (json.JSONDecodeError, yaml.YAMLError) as error:
        raise BuildspecError(f"YAML_FILE_ERROR: {str(error).splitlines()[0]}") from error
    if not isinstance(document, dict):
        raise BuildspecError("YAML_FILE_ERROR: expected a mapping at the top level")
    if str(document.get("version")) not in {"0.1", "0.2"}:
        raise BuildspecError(
            f"YAML_FILE_ERROR: unknown buildspec version {document.get('version')}; use 0.2"
        )
    unknown = document.keys() - _TOP
    if unknown:
        raise BuildspecError(f"YAML_FILE_ERROR: unknown key {min(unknown)}")
    for key in ("run-as", "proxy", "batch"):
        if key in document:
            raise BuildspecError(f"INVALID_INPUT: {key} is not part of the local cloud")
    env = document.get("env") or {}
    artifacts = document.get("artifacts") or {}
    return Buildspec(
        phases={
            name: _commands(name, (document.get("phases") or {}).get(name) or {}) for name in PHASES
        },
        variables={k: str(v) for k, v in (env.get("variables") or {}).items()},
        parameters=env.get("parameter-store") or {},
        secrets=env.get("secrets-manager") or {},
        exported=tuple(env.get("exported-variables") or ()),
        artifacts=_artifacts(artifacts) if "files" in artifacts else None,
        secondary={
            name: _artifacts(each)
            for name, each in (artifacts.get("secondary-artifacts") or {}).items()
        },
        reports=document.get("reports") or {},
        cache=tuple((document.get("cache") or {}).get("paths") or ()),
    )


def _commands(phase: str, declared: dict[str, Any]) -> Commands:
    commands = declared.get("commands") or []
    if not isinstance(commands, list) or not all(isinstance(each, str) for each in commands):
        raise BuildspecError(f"YAML_FILE_ERROR: phases.{phase}.commands must be a list of strings")
    return Commands(
        tuple(commands),
        tuple(declared.get("finally") or ()),
        str(declared.get("on-failure") or "ABORT"),
    )


def _artifacts(declared: dict[str, Any]) -> Artifacts:
    files = declared.get("files") or []
    return Artifacts(
        base_directory=declared.get("base-directory") or ".",
        files=(files,) if isinstance(files, str) else tuple(files),
        discard_paths=str(declared.get("discard-paths", "no")).lower() in {"yes", "true"},
    )
