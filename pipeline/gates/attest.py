"""Attest a release that has passed every gate before prod, with one signed statement.

It reads the cloud assembly (`assembly/`) and the gates' reports (`evidence/STEP/`), and writes
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
from pipeline.gates.supply_chain import attestation, envelope, summaries
from pipeline.gates.supply_chain.attestation import ReleaseError
from pipeline.gates.supply_chain.contents import ContentsError
from pipeline.gates.template.assembly import AssemblyError
from pipeline.names import ASSEMBLY, ATTESTATION_KEY, EVIDENCE

if TYPE_CHECKING:
    from environments.schema import Home
    from pipeline.gates.supply_chain.attestation import Release
    from pipeline.gates.supply_chain.summaries import Summary

FILE = "attestation.json"


def released(home: Home) -> Release:
    """Return the release of this checkout and its cloud assembly.

    Raises:
        CouldNotRunError: the assembly, the lock or a bundle cannot be read, or environments differ.
    """
    try:
        lock = ROOT / "requirements" / "service.txt"
        return attestation.release(home, commit(), lock, ROOT / ASSEMBLY)
    except (OSError, CommitError, AssemblyError, ContentsError, ReleaseError) as error:
        raise CouldNotRunError(str(error)) from error


def run() -> GateResult:
    """Sign the attestation, unless a gate's result is missing or refused.

    Raises:
        CouldNotRunError: the release cannot be read, or KMS does not sign.
    """
    home = load_home()
    release = released(home)
    try:
        results = summaries.read(ROOT / EVIDENCE)
    except summaries.SummaryError as error:
        raise CouldNotRunError(str(error)) from error
    wrong = summaries.lacking(results, home.supply_chain.attested_gates)
    if wrong:
        return GateResult("refused", f"the release is not attested: {'; '.join(wrong)}")
    invocation = os.environ.get("CODEBUILD_BUILD_ARN", "")
    statement = attestation.statement(release, results, invocation)
    sealed = envelope.seal(statement, aws.client("kms"), ATTESTATION_KEY)
    (REPORTS / FILE).write_text(sealed, encoding="utf-8")
    return GateResult(
        "passed",
        f"commit {release.commit[:12]} is attested with the results of {len(results)} gates"
        + summaries.overridden(results),
        details(release, results),
    )


def details(release: Release, results: tuple[Summary, ...]) -> dict[str, Any]:
    """Return the details of an attested release for a gate's summary."""
    return {
        "commit": release.commit,
        "bundles": {each.function: each.sha256 for each in release.bundles},
        "results": {each.gate: each.status for each in results},
    }


if __name__ == "__main__":
    sys.exit(main("attest", run))
