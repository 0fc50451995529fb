"""May a release go to prod: exactly it was attested, with every gate's result.

It takes the cloud assembly (`assembly/`) and the attestation (`attestation/`). It refuses where
the key has not signed, where commit, lock, bundle, SBOM or pipeline are others, where a gate's
result is missing or refused, and where prod's template could publish other code than the bundle.
"""

from __future__ import annotations

import base64
import sys
from typing import TYPE_CHECKING

from environments.schema import load_home
from pipeline.gates import aws
from pipeline.gates.attest import FILE, details, released
from pipeline.gates.gate import ROOT, CouldNotRunError, Outcome, run
from pipeline.names import ASSEMBLY, ATTESTATION, ATTESTATION_KEY
from pipeline.supply import assembly, attestation, envelope, evidence

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipeline.supply.assembly import Deployed


def judge() -> Outcome:
    """Hold what prod would be given against what was attested.

    Raises:
        CouldNotRunError: there is no attestation, KMS does not answer, or it cannot be told what
            prod would be given.
    """
    home = load_home()
    release = released(home)
    try:
        text = (ROOT / ATTESTATION / FILE).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise CouldNotRunError(f"{ATTESTATION}/{FILE} cannot be read: {error}") from error
    try:
        statement = envelope.open_(text, aws.client("kms"), ATTESTATION_KEY)
        attested, results = attestation.read(statement)
    except envelope.ForgedError as error:
        return Outcome("refused", f"the attestation is forged: {error}")
    except attestation.StatementError as error:
        return Outcome("refused", f"the attestation is no attestation of a release: {error}")
    prod = assembly.read(ROOT / ASSEMBLY, "prod")
    wrong = [
        *attestation.differences(attested, release),
        *evidence.lacking(results, home.supply_chain.attested_gates),
        *_unpinned(prod),
    ]
    if wrong:
        return Outcome("refused", f"prod is not given what was attested: {'; '.join(wrong)}")
    return Outcome(
        "passed",
        f"commit {release.commit[:12]} was attested with the results of {len(results)} gates"
        + evidence.let_by(results),
        details(release, results),
    )


def _unpinned(prod: Deployed) -> Iterator[str]:
    """Functions of which Lambda would publish whatever the asset bucket holds by then.

    Lambda publishes a version with a `CodeSha256` of no other code ("PublishVersion"). A function
    of which no version is published is what its template names.
    """
    published = [code for code in prod.code if code.pinned]
    if not published:
        yield "prod's template publishes no version of a function"
    for code in published:
        digest = bytes.fromhex(attestation.sha256(code.file))
        if set(code.pinned) != {base64.b64encode(digest).decode()}:
            yield f"the version of {code.function} is not bound to its bundle by CodeSha256"


if __name__ == "__main__":
    sys.exit(run("provenance", judge))
