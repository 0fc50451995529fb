"""The attestation: an in-toto Statement v1 with a SLSA provenance predicate v1.

The subjects are the bundles. Commit and lock are the resolved dependencies, the pipeline is the
builder, and the gates' summaries and the SBOMs are byproducts of the build
(slsa.dev/spec/v1.0/provenance, in-toto.io/Statement/v1).
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from environments.schema import NAMES
from pipeline.gates.supply_chain import contents, function_code, published
from pipeline.gates.supply_chain.summaries import Summary
from pipeline.names import PIPELINE

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from environments.schema import Home
    from pipeline.gates.supply_chain.function_code import Code, Deployed

STATEMENT = "https://in-toto.io/Statement/v1"
PREDICATE = "https://slsa.dev/provenance/v1"
BUILD = "urn:pithead:pipeline:v1"
_LOCK = "requirements/service.txt"
_SUMMARY = "application/json"


class ReleaseError(Exception):
    """The release is not the same in every environment, or has no SBOM."""


class StatementError(Exception):
    """A statement is not of the form that `statement` writes."""


@dataclass(frozen=True)
class Bundle:
    """The code of one function."""

    function: str
    """The function's logical id, the same in every environment."""
    sha256: str
    """Hexadecimal, like all digests here."""
    sbom: str
    """SHA-256 of the SBOM; empty if the bundle contains no package."""


@dataclass(frozen=True)
class Release:
    """The release of a checkout and its cloud assembly."""

    repository: str
    branch: str
    commit: str
    lock: str
    """SHA-256 of the lock."""
    bundles: tuple[Bundle, ...]
    builder: str
    """The pipeline's ARN."""


def release(home: Home, commit: str, lock: Path, folder: Path) -> Release:
    """Return the release to prod, after checking that earlier environments get the same code.

    Raises:
        AssemblyError, ContentsError: the assembly, or a bundle in it, cannot be read.
        ReleaseError: an environment has other code, or a bundle has no SBOM.
    """
    prod = function_code.read(folder, "prod")
    bundles = tuple(sorted((_bundle(code, prod) for code in prod.code), key=lambda b: b.function))
    wanted = {bundle.function: bundle.sha256 for bundle in bundles}
    for name in NAMES:
        for code in function_code.read(folder, name).code:
            if wanted.get(code.function, "") not in {"", sha256(code.file)}:
                raise ReleaseError(
                    f"{name} would get other code for {code.function} than prod: "
                    f"{sha256(code.file)} and {wanted[code.function]}"
                )
    return Release(
        repository=f"https://github.com/{home.repository}",
        branch=home.branch,
        commit=commit,
        lock=sha256(lock),
        bundles=bundles,
        builder=f"arn:aws:codepipeline:{home.region}:{home.account}:{PIPELINE}",
    )


def statement(released: Release, results: Sequence[Summary], invocation: str) -> dict[str, Any]:
    """Return the statement about a release; `invocation` is the ARN of the attesting build."""
    return {
        "_type": STATEMENT,
        "subject": [
            {"name": each.function, "digest": {"sha256": each.sha256}} for each in released.bundles
        ],
        "predicateType": PREDICATE,
        "predicate": {
            "buildDefinition": {
                "buildType": BUILD,
                "externalParameters": {
                    "repository": released.repository,
                    "branch": released.branch,
                },
                "resolvedDependencies": [
                    {
                        "name": "source",
                        "uri": f"git+{released.repository}",
                        "digest": {"gitCommit": released.commit},
                    },
                    {"name": _LOCK, "digest": {"sha256": released.lock}},
                ],
            },
            "runDetails": {
                "builder": {"id": released.builder},
                "metadata": {"invocationId": invocation},
                "byproducts": [
                    *(_bill(each) for each in released.bundles if each.sbom),
                    *(_byproduct(each) for each in results),
                ],
            },
        },
    }


def read(found: dict[str, Any]) -> tuple[Release, tuple[Summary, ...]]:
    """Return the release and the gates' summaries of a statement.

    Raises:
        StatementError: it is of another kind, or a part is missing.
    """
    try:
        kind = (found["_type"], found["predicateType"])
        definition = found["predicate"]["buildDefinition"]
        details = found["predicate"]["runDetails"]
        source, lock = definition["resolvedDependencies"]
        bills = {
            each["name"].removesuffix(published.SUFFIX): each["digest"]["sha256"]
            for each in details["byproducts"]
            if each["mediaType"] == published.MEDIA_TYPE
        }
        released = Release(
            repository=definition["externalParameters"]["repository"],
            branch=definition["externalParameters"]["branch"],
            commit=source["digest"]["gitCommit"],
            lock=lock["digest"]["sha256"],
            bundles=tuple(
                Bundle(each["name"], each["digest"]["sha256"], bills.get(each["name"], ""))
                for each in found["subject"]
            ),
            builder=details["builder"]["id"],
        )
        summaries = tuple(
            _result(each) for each in details["byproducts"] if each["mediaType"] == _SUMMARY
        )
    except (KeyError, TypeError, ValueError) as error:
        raise StatementError(f"a part is missing: {error!r}") from error
    if (*kind, definition.get("buildType")) != (STATEMENT, PREDICATE, BUILD):
        raise StatementError(f"it is a {kind[0]!r} with a {kind[1]!r}")
    return released, summaries


def differences(attested: Release, released: Release) -> list[str]:
    """Return a sentence for each part of the release that differs from the attested one."""
    plain = [field.name for field in fields(Release) if field.name != "bundles"]
    found = [
        f"{name} {getattr(attested, name)} was attested and not {getattr(released, name)}"
        for name in plain
        if getattr(attested, name) != getattr(released, name)
    ]
    known = {bundle.function: bundle for bundle in attested.bundles}
    for bundle in released.bundles:
        was = known.get(bundle.function)
        if was is None:
            found.append(f"nothing was attested for {bundle.function}")
        elif was.sha256 != bundle.sha256:
            found.append(
                f"bundle {was.sha256} was attested for {bundle.function} and not {bundle.sha256}"
            )
        elif was.sbom != bundle.sbom:
            found.append(f"another SBOM was attested for {bundle.function}")
    return found


def sha256(file: Path) -> str:
    """Return the SHA-256 of a file, hexadecimal."""
    return hashlib.sha256(file.read_bytes()).hexdigest()


def _bundle(code: Code, deployed: Deployed) -> Bundle:
    digest = sha256(code.file)
    if not contents.read(code.file):
        return Bundle(code.function, digest, "")
    bills = [file for file in deployed.files if published.describes(file.read_bytes(), digest)]
    if len(bills) != 1:
        raise ReleaseError(f"{len(bills)} SBOMs of {code.file.name} are published; allowed is 1")
    return Bundle(code.function, digest, sha256(bills[0]))


def _bill(bundle: Bundle) -> dict[str, Any]:
    return {
        "name": f"{bundle.function}{published.SUFFIX}",
        "mediaType": published.MEDIA_TYPE,
        "digest": {"sha256": bundle.sbom},
    }


def _byproduct(result: Summary) -> dict[str, Any]:
    return {
        "name": f"{result.gate}.json",
        "mediaType": _SUMMARY,
        "digest": {"sha256": result.sha256},
        "annotations": {
            "gate": result.gate,
            "status": result.status,
            "sentence": result.sentence,
        },
    }


def _result(byproduct: dict[str, Any]) -> Summary:
    found = byproduct["annotations"]
    return Summary(found["gate"], found["status"], found["sentence"], byproduct["digest"]["sha256"])
