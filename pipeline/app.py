"""`python -m pipeline.app`: the CDK app that `cdk synth` runs.

Context keys: `connection-arn` (ARN of the CodeConnections connection, required), `bundle`
(`linux-arm64`, the default, or `host`) and `signed` (the signing profile version with which the
pipeline's Build signed the bundles; by default the unsigned bundles are used). Exit codes: 0
synthesised, 1 failed with an error message.
"""

from __future__ import annotations

import sys
from pathlib import Path

import aws_cdk as cdk

from environments.schema import EnvironmentFileError, load_all, load_home
from pipeline.builds import bundle, code_signing, safeguards
from pipeline.builds.commit import ROOT, CommitError, commit
from pipeline.delivery import nag, reviews
from pipeline.delivery.pipeline import DeliveryStack
from pipeline.delivery.stacks.artifact import Artifact
from pipeline.gates.supply_chain import sbom
from pipeline.gates.supply_chain.contents import ContentsError
from pipeline.gates.supply_chain.lock import LockError
from pipeline.names import SERVICE, STACK


class AppError(Exception):
    """The app cannot be synthesised; the message says what to do."""


_REPORTED_ERRORS = (
    AppError,
    EnvironmentFileError,
    bundle.BundleError,
    code_signing.SigningError,
    CommitError,
    ContentsError,
    LockError,
    safeguards.SafeguardsError,
)


def synthesise(app: cdk.App) -> None:
    """Create all stacks of the app.

    Raises:
        AppError, BundleError, CommitError, ContentsError, EnvironmentFileError, LockError,
        SigningError: the message is for the user.
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
    built, judge, synthetic = bundle.build_all(platform)
    signer = app.node.try_get_context("signed")
    if signer:
        built, judge, synthetic = (
            code_signing.signed(each, str(signer)) for each in (built, judge, synthetic)
        )
    # Only AWS has the profile: the local cloud could not verify its signatures.
    profile = home.supply_chain.signing_profile_version if platform != "host" else None
    artifact = Artifact(
        commit=commit(),
        bundle=built,
        sbom=sbom.write(built, bundle.LOCK, home.supply_chain.licences),
        judge=judge,
        synthetic=synthetic,
        platform=bundle.target(platform),
        signing_profile_version=profile,
        safeguards=safeguards.read(ROOT),
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
        description=f"The pipeline that delivers the {SERVICE} API, and itself",
        termination_protection=True,
    )
    judgement = nag.check(app, reviews.applicable(home, environments, signed=profile is not None))
    unreviewed = judgement.unreviewed
    if unreviewed:
        nag.record_unreviewed(Path(app.outdir), judgement)
        raise AppError(
            f"cdk-nag found {len(unreviewed)}; fix each finding, or review it in "
            "pipeline/delivery/reviews.py or service/delivery/reviews.py:\n" + "\n".join(unreviewed)
        )


def main() -> int:
    """Synthesise into the CDK CLI's output folder."""
    app = cdk.App()
    try:
        synthesise(app)
    except _REPORTED_ERRORS as error:
        print(f"pithead: {error}", file=sys.stderr)  # noqa: T201  # output of a command
        return 1
    app.synth()
    nag.record(Path(app.outdir))
    return 0


if __name__ == "__main__":
    sys.exit(main())
