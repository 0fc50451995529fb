"""Write the software bill of materials (SBOM) of a bundle in CycloneDX 1.6, reproducibly.

It has no date, and its serial number is derived from the bundle's digest. It lists the contents of
the bundle, and for each package the hashes in the lock.
"""

from __future__ import annotations

import hashlib
import os
from typing import TYPE_CHECKING
from uuid import NAMESPACE_URL, uuid5

from cyclonedx.model import ExternalReference, ExternalReferenceType, HashAlgorithm, HashType, XsUri
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.model.license import DisjunctiveLicense, LicenseAcknowledgement, LicenseExpression
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL
from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from pipeline.gates.supply_chain import contents, licences, lock
from pipeline.gates.supply_chain.published import SUFFIX
from pipeline.names import SERVICE

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from cyclonedx.model.license import License

    from environments.supply_chain import Licences
    from pipeline.gates.supply_chain.contents import Distribution, Vendored
    from pipeline.gates.supply_chain.lock import Pin


def write(bundle: Path, locked: Path, policy: Licences) -> Path:
    """Write the SBOM of a bundle to a file next to it, and return the file.

    Raises:
        ContentsError, LockError: the bundle or the lock cannot be read.
    """
    file = bundle.with_suffix(SUFFIX)
    partial = file.with_suffix(f".{os.getpid()}")
    partial.write_text(document(bundle, lock.read(locked), policy), encoding="utf-8")
    return partial.rename(file)


def document(bundle: Path, pins: Sequence[Pin], policy: Licences) -> str:
    """Return the SBOM of a bundle as JSON.

    Raises:
        ContentsError: the bundle cannot be read.
    """
    digest = hashlib.sha256(bundle.read_bytes()).hexdigest()
    bom = Bom(serial_number=uuid5(NAMESPACE_URL, f"urn:sha256:{digest}"))
    bom.metadata.timestamp = None  # type: ignore[assignment]  # which the schema does not want
    service = Component(
        name=SERVICE, type=ComponentType.APPLICATION, bom_ref=SERVICE, hashes=[_sha256(digest)]
    )
    bom.metadata.component = service
    distributions = contents.read(bundle)
    components = {
        (each.name, each.version): _component(each, pins, policy) for each in distributions
    }
    for component in components.values():
        bom.components.add(component)
    bom.register_dependency(service, components.values())
    for each in distributions:
        names = set(_requires(each))
        needed = [component for (name, _), component in components.items() if name in names]
        bom.register_dependency(components[each.name, each.version], needed)
    text: str = JsonV1Dot6(bom).output_as_string(indent=1)
    return text + "\n"


def _component(each: Distribution, pins: Sequence[Pin], policy: Licences) -> Component:
    purl = PackageURL("pypi", name=each.name, version=each.version)
    hashes = [
        _sha256(digest)
        for pin in pins
        if (pin.name, pin.version) == (each.name, each.version)
        for digest in pin.hashes
    ]
    source = ExternalReference(
        type=ExternalReferenceType.DISTRIBUTION,
        url=XsUri(str(purl)),
        hashes=hashes,
        comment="one of these distributions, to which requirements/service.txt pins it",
    )
    said = licences.declared(each.metadata)
    review = next((review for review in policy.reviewed if review.package == each.name), None)
    concluded = review.licence if review and review.declared == said.text else None
    return Component(
        name=each.name,
        version=each.version,
        purl=purl,
        bom_ref=str(purl),
        description=each.metadata.get("summary"),
        licenses=list(_licences(said.text, said.expression, concluded)),
        external_references=[source] if hashes else [],
        components=[_part(part, str(purl)) for part in each.vendored],
    )


def _part(each: Vendored, inside: str) -> Component:
    return Component(
        name=each.name,
        version=each.version or None,
        purl=PackageURL.from_string(each.purl) if each.purl else None,
        bom_ref=f"{inside}/{each.name}@{each.version}",
        licenses=list(_licences(each.declared, licences.spdx(each.declared), None)),
        hashes=[_sha256(each.sha256)] if each.sha256 else [],
    )


def _licences(text: str, expression: str | None, concluded: str | None) -> Iterator[License]:
    """Yield the reviewed licence, else the declared SPDX expression, else the declared text."""
    if concluded:
        yield LicenseExpression(concluded, acknowledgement=LicenseAcknowledgement.CONCLUDED)
    elif expression:
        yield LicenseExpression(expression, acknowledgement=LicenseAcknowledgement.DECLARED)
    elif text:
        yield DisjunctiveLicense(name=text, acknowledgement=LicenseAcknowledgement.DECLARED)


def _requires(each: Distribution) -> Iterator[str]:
    """Yield the packages that a distribution requires on any platform, without its extras.

    Markers are not evaluated, so that the document does not depend on this platform.
    """
    for text in each.metadata.get("requires_dist", []):
        try:
            needed = Requirement(text)
        except InvalidRequirement:
            continue
        if "extra" not in str(needed.marker or ""):
            yield canonicalize_name(needed.name)


def _sha256(digest: str) -> HashType:
    return HashType(alg=HashAlgorithm.SHA_256, content=digest)
