"""Check before prod that the release is the attested one, and was built from its commit.

`python -m pipeline.gates.provenance [PLATFORM]` reads the cloud assembly (`assembly/`), the
attestation (`attestation/`) and a clone of the commit; PLATFORM is a value of the context key
`bundle`. It refuses the release if

- the key did not sign the attestation;
- the commit, lock, bundles, SBOMs or pipeline differ from the attested ones;
- a gate's result is missing or refused;
- prod's template could publish other code than the bundle;
- a bundle differs from what commit and lock produce.
"""

from __future__ import annotations

import base64
import sys
from typing import TYPE_CHECKING

from environments.schema import load_home
from pipeline.builds import bundle
from pipeline.builds.bundle import BundleError
from pipeline.gates import aws
from pipeline.gates.attest import FILE, details, released
from pipeline.gates.gate import ROOT, main
from pipeline.gates.report.result import CouldNotRunError, GateResult
from pipeline.gates.supply_chain import attestation, envelope, function_code, origin, summaries
from pipeline.gates.supply_chain.origin import OriginError
from pipeline.names import ASSEMBLY, ATTESTATION, ATTESTATION_KEY

if TYPE_CHECKING:
    from collections.abc import Iterator

    from environments.schema import Home
    from pipeline.gates.supply_chain.function_code import Deployed


def run(platform: str = "linux-arm64") -> GateResult:
    """Compare the release for prod with the attestation and with the commit.

    Raises:
        CouldNotRunError: the attestation or the assembly cannot be read, KMS does not answer, or
            the bundles cannot be rebuilt.
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
        return GateResult("refused", f"the attestation is forged: {error}")
    except attestation.StatementError as error:
        return GateResult("refused", f"the attestation is invalid: {error}")
    prod = function_code.read(ROOT / ASSEMBLY, "prod")
    wrong = [
        *attestation.differences(attested, release),
        *summaries.lacking(results, home.supply_chain.attested_gates),
        *_unpinned(prod),
    ]
    if wrong:
        return GateResult(
            "refused", f"prod would get another release than the attested one: {'; '.join(wrong)}"
        )
    foreign = _foreign(prod, release.commit, platform, home)
    if foreign:
        return GateResult(
            "refused",
            f"prod would get other code than commit {release.commit[:12]}: {'; '.join(foreign)}. "
            "Release the commit again; if it is refused again, inspect the commands of its build",
        )
    return GateResult(
        "passed",
        f"commit {release.commit[:12]} was attested with the results of {len(results)} gates"
        + summaries.overridden(results),
        details(release, results),
    )


def _foreign(prod: Deployed, commit: str, platform: str, home: Home) -> list[str]:
    signed = home.supply_chain.signing_profile_version is not None and platform != "host"
    try:
        files = origin.committed(ROOT, commit)
        rebuilt = bundle.build_all(platform)
        return origin.differences(prod.code, files, rebuilt, signed=signed)
    except (BundleError, OriginError) as error:
        raise CouldNotRunError(
            f"the bundles cannot be compared with the commit: {error}. Retry the stage"
        ) from error


def _unpinned(prod: Deployed) -> Iterator[str]:
    """Yield functions whose published version is not bound to its bundle.

    Lambda publishes a version with a `CodeSha256` only if the code has this digest
    ("PublishVersion"); without it, the object in the asset bucket could be replaced.
    """
    published = [code for code in prod.code if code.pinned]
    if not published:
        yield "prod's template publishes no version of a function"
    for code in published:
        digest = bytes.fromhex(attestation.sha256(code.file))
        if set(code.pinned) != {base64.b64encode(digest).decode()}:
            yield f"the version of {code.function} is not bound to its bundle by CodeSha256"


if __name__ == "__main__":
    sys.exit(main("provenance", lambda: run(*sys.argv[1:])))
