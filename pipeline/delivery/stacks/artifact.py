"""The one build that is promoted through every environment."""

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
    """The bundles of a commit, and the platform that they were built for."""

    commit: str
    bundle: Path
    sbom: Path
    """The software bill of materials (SBOM) of the service's bundle."""
    judge: Path
    """The bundle of the canary judge."""
    synthetic: Path
    """The bundle of the synthetic journeys."""
    platform: Platform
    signing_profile_version: str | None = None
    """ARN of the only signing profile version that Lambda accepts; None: no signing."""
    safeguards: dict[str, Any] | None = None
    """The safeguards that are files, for prod's stack to record."""

    @property
    def code_sha256(self) -> str:
        """The bundle's SHA-256, encoded as Lambda's `CodeSha256`."""
        return base64.b64encode(hashlib.sha256(self.bundle.read_bytes()).digest()).decode()

    @property
    def runtime(self) -> lambda_.Runtime:
        """The bundle's Lambda runtime."""
        return lambda_.Runtime(self.platform.runtime, lambda_.RuntimeFamily.PYTHON)

    @property
    def architecture(self) -> lambda_.Architecture:
        """The bundle's Lambda architecture."""
        if self.platform.architecture == "arm64":
            return lambda_.Architecture.ARM_64
        return lambda_.Architecture.X86_64
