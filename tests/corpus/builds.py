"""Helpers for replays of builds."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from localcloud.codebuild.model import Build
    from tests.localcloud.codebuild.builds import Builds


def spec(**parts: Any) -> str:
    """Return a buildspec; `build` and `post_build` are its commands."""
    phases = {
        name: {"commands": parts.pop(name)} for name in ("build", "post_build") if name in parts
    }
    return json.dumps({"version": "0.2", "phases": phases} | parts)


def contexts(builds: Builds, build: Build) -> dict[str, tuple[str, str]]:
    """Return code and message of each failed phase."""
    (shown,) = builds.client("codebuild").batch_get_builds(ids=[build.id])["builds"]
    return {
        phase["phaseType"]: (context["statusCode"], context["message"])
        for phase in shown["phases"]
        for context in phase.get("contexts", [])
        if context["statusCode"]
    }


def allow(builds: Builds, *statements: tuple[str, str]) -> None:
    """Allow the builds' role to write logs and to do each action on its resource."""
    allowed = [("logs:*", "*"), *statements]
    document = {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Action": action, "Resource": resource}
            for action, resource in allowed
        ],
    }
    builds.client("iam").put_role_policy(
        RoleName="build", PolicyName="allowed", PolicyDocument=json.dumps(document)
    )
