"""Vouch for a release that has passed every gate before prod: one signed attestation.

It takes the cloud assembly (`assembly/`) and the gates' reports (`evidence/STEP/`), and leaves
`reports/attestation.json`. Only this step's role may sign with the key.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

from environments.schema import load_home
from pipeline.builds.commit import CommitError, commit
from pipeline.gates import aws
from pipeline.gates.gate import REPORTS, ROOT, main
from pipeline.gates.report.result import CouldNotRunError, GateResult
from pipeline.gates.supply_chain import attestation, envelope, evidence
from pipeline.gates.supply_chain.assembly import AssemblyError
from pipeline.gates.supply_chain.attestation import ReleaseError
from pipeline.gates.supply_chain.contents import ContentsError
from pipeline.names import ASSEMBLY, ATTESTATION_KEY, EVIDENCE

if TYPE_CHECKING:
    from environments.schema import Home
    from pipeline.gates.supply_chain.attestation import Release
    from pipeline.gates.supply_chain.evidence import Result

FILE = "attestation.json"


def released(home: Home) -> Release:
    """Return what this checkout and its cloud assembly release.

    Raises:
        CouldNotRunError: the assembly cannot be read, or does not contain exactly one bundle.
    """
    try:
        lock = ROOT / "requirements" / "service.txt"
        return attestation.release(home, commit(), lock, ROOT / ASSEMBLY)
    except (OSError, CommitError, AssemblyError, ContentsError, ReleaseError) as error:
        raise CouldNotRunError(str(error)) from error


def run() -> GateResult:
    """Sign, unless a gate is missing or has refused.

    Raises:
        CouldNotRunError: the release cannot be read, or KMS does not sign.
    """
    home = load_home()
    release = released(home)
    try:
        results = evidence.read(ROOT / EVIDENCE)
    except evidence.EvidenceError as error:
        raise CouldNotRunError(str(error)) from error
    wrong = evidence.lacking(results, home.supply_chain.attested_gates)
    if wrong:
        return GateResult("refused", f"nothing is signed: {'; '.join(wrong)}")
    invocation = os.environ.get("CODEBUILD_BUILD_ARN", "")
    statement = attestation.statement(release, results, invocation)
    sealed = envelope.seal(statement, aws.client("kms"), ATTESTATION_KEY)
    (REPORTS / FILE).write_text(sealed, encoding="utf-8")
    return GateResult(
        "passed",
        f"commit {release.commit[:12]} is vouched for, with the results of {len(results)} gates"
        + evidence.overridden(results),
        details(release, results),
    )


def details(release: Release, results: tuple[Result, ...]) -> dict[str, Any]:
    """What a summary says of an attested release."""
    return {
        "commit": release.commit,
        "bundles": {each.function: each.sha256 for each in release.bundles},
        "results": {each.gate: each.status for each in results},
    }


if __name__ == "__main__":
    sys.exit(main("attest", run))
