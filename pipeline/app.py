"""`python -m pipeline.app`: what `cdk synth` runs.

Context keys: `connection-arn` (the CodeConnections connection, required) and `bundle`
(`linux-arm64`, the default, or `host`). Exit codes: 0 synthesised, 1 refused with a sentence.
"""

from __future__ import annotations

import os
import subprocess
import sys

import aws_cdk as cdk

from environments.schema import EnvironmentFileError, load_all, load_home
from pipeline import bundle, nag
from pipeline.delivery import DeliveryStack
from pipeline.names import STACK
from pipeline.stacks.service import Artifact


class AppError(Exception):
    """The app cannot be synthesised; the message says what to do."""


def commit() -> str:
    """The commit that is built: CodeBuild's source version, else the checkout's HEAD."""
    resolved = os.environ.get("CODEBUILD_RESOLVED_SOURCE_VERSION")
    if resolved:
        return resolved
    done = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=bundle.ROOT, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise AppError(f"{bundle.ROOT.name} is no git checkout with a commit; commit first")
    return done.stdout.strip()


def synthesise(app: cdk.App) -> None:
    """Put the whole app together.

    Raises:
        AppError, BundleError, EnvironmentFileError: with the sentence for the user.
    """
    environments = load_all()
    home = load_home()
    platform = str(app.node.try_get_context("bundle") or "linux-arm64")
    connection = app.node.try_get_context("connection-arn")
    if not connection:
        raise AppError(
            "context key connection-arn: nothing found; give the ARN of the CodeConnections "
            "connection, e.g. cdk synth -c connection-arn=arn:aws:codeconnections:…"
        )
    artifact = Artifact(
        commit=commit(),
        bundle=bundle.build(platform),
        digest=bundle.digest(platform),
        platform=bundle.target(platform),
    )
    DeliveryStack(
        app,
        STACK,
        home=home,
        environments=environments,
        artifact=artifact,
        connection_arn=str(connection),
        bundle_platform=platform,
        env=cdk.Environment(account=home.account, region=home.region),
        description="The pipeline that delivers the files API, and itself",
        termination_protection=True,
    )
    unreviewed = nag.judge(app).unreviewed
    if unreviewed:
        raise AppError(
            f"cdk-nag found {len(unreviewed)}; mend each, or review it in pipeline/nag.py:\n"
            + "\n".join(unreviewed)
        )


def main() -> int:
    """Synthesise into the folder that the CDK CLI names."""
    app = cdk.App()
    try:
        synthesise(app)
    except (AppError, EnvironmentFileError, bundle.BundleError) as error:
        print(f"pithead: {error}", file=sys.stderr)  # noqa: T201  # a command speaks so
        return 1
    app.synth()
    return 0


if __name__ == "__main__":
    sys.exit(main())
