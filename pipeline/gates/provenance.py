"""May a release go to prod: it was attested with every gate's result, and it is its commit.

`python -m pipeline.gates.provenance [PLATFORM]` takes the cloud assembly (`assembly/`), the
attestation (`attestation/`), and a clone of the commit; PLATFORM is what the context key `bundle`
takes. It refuses where the key has not signed, where commit, lock, bundle, SBOM or pipeline are
others, where a gate's result is missing or refused, where prod's template could publish other code
than the bundle, and where a bundle has a file that commit and lock do not make, or lacks one.
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
from pipeline.gates.supply_chain import assembly, attestation, envelope, evidence, origin
from pipeline.gates.supply_chain.origin import OriginError
from pipeline.names import ASSEMBLY, ATTESTATION, ATTESTATION_KEY

if TYPE_CHECKING:
    from collections.abc import Iterator

    from environments.schema import Home
    from pipeline.gates.supply_chain.assembly import Deployed


def run(platform: str = "linux-arm64") -> GateResult:
    """Compare what prod would be given with what was attested, and with the commit.

    Raises:
        CouldNotRunError: there is no attestation, KMS does not answer, the assembly cannot be
            read, or the bundles cannot be built again.
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
        return GateResult("refused", f"the attestation is no attestation of a release: {error}")
    prod = assembly.read(ROOT / ASSEMBLY, "prod")
    wrong = [
        *attestation.differences(attested, release),
        *evidence.lacking(results, home.supply_chain.attested_gates),
        *_unpinned(prod),
    ]
    if wrong:
        return GateResult("refused", f"prod is not given what was attested: {'; '.join(wrong)}")
    foreign = _foreign(prod, release.commit, platform, home)
    if foreign:
        return GateResult(
            "refused",
            f"prod is not given what commit {release.commit[:12]} has: {'; '.join(foreign)}. "
            "Release the commit again; if it is refused again, inspect the commands of its build",
        )
    return GateResult(
        "passed",
        f"commit {release.commit[:12]} was attested with the results of {len(results)} gates"
        + evidence.overridden(results),
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
    sys.exit(main("provenance", lambda: run(*sys.argv[1:])))
