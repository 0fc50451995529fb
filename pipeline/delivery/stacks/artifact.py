"""The one build that goes through every environment."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from aws_cdk import aws_lambda as lambda_

if TYPE_CHECKING:
    from pathlib import Path

    from pipeline.builds.bundle import Platform


@dataclass(frozen=True)
class Artifact:
    """What was built of a commit, and what it was built for."""

    commit: str
    bundle: Path
    sbom: Path
    """The bundle's bill of materials."""
    judge: Path
    """The canary judge's own bundle."""
    synthetic: Path
    """The customers' journeys' own bundle."""
    platform: Platform
    signing_profile_version: str | None = None
    """ARN of the one by which Lambda takes code alone, or nothing where it need not be signed."""
    safeguards: dict[str, Any] | None = None
    """What holds a release back and stands in files, for prod's stack to record."""

    @property
    def code_sha256(self) -> str:
        """The bundle's SHA-256 as Lambda tells it (`CodeSha256`)."""
        return base64.b64encode(hashlib.sha256(self.bundle.read_bytes()).digest()).decode()

    @property
    def runtime(self) -> lambda_.Runtime:
        """Lambda's runtime for it."""
        return lambda_.Runtime(self.platform.runtime, lambda_.RuntimeFamily.PYTHON)

    @property
    def architecture(self) -> lambda_.Architecture:
        """Lambda's processor for it."""
        if self.platform.architecture == "arm64":
            return lambda_.Architecture.ARM_64
        return lambda_.Architecture.X86_64
