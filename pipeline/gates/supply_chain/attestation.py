"""What is vouched for: an in-toto Statement v1 with a SLSA provenance predicate v1.

The subjects are the bundles. Commit and lock are what they were built from, the pipeline is who
built them, and the gates' results and the SBOMs are byproducts of that build
(slsa.dev/spec/v1.0/provenance, in-toto.io/Statement/v1).
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from environments.schema import NAMES
from pipeline.gates.supply_chain import assembly, contents, published
from pipeline.gates.supply_chain.evidence import Result
from pipeline.names import PIPELINE

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from environments.schema import Home
    from pipeline.gates.supply_chain.assembly import Code, Deployed

STATEMENT = "https://in-toto.io/Statement/v1"
PREDICATE = "https://slsa.dev/provenance/v1"
BUILD = "urn:pithead:pipeline:v1"
_LOCK = "requirements/service.txt"
_SUMMARY = "application/json"


class ReleaseError(Exception):
    """What is to be released is not the same in every environment, or has no SBOM."""


class StatementError(Exception):
    """A statement is not as it is made here."""


@dataclass(frozen=True)
class Bundle:
    """The code of one function."""

    function: str
    """The function's logical id, in every environment the same."""
    sha256: str
    """Hexadecimal, as all digests here."""
    sbom: str
    """SHA-256 of the SBOM; empty where the bundle holds no package."""


@dataclass(frozen=True)
class Release:
    """What a checkout and its cloud assembly release to prod."""

    repository: str
    branch: str
    commit: str
    lock: str
    """SHA-256 of the lock."""
    bundles: tuple[Bundle, ...]
    builder: str
    """The pipeline's ARN."""


def release(home: Home, commit: str, lock: Path, folder: Path) -> Release:
    """What is released to prod; an environment before it that has a function has its code too.

    Raises:
        AssemblyError, ContentsError: the assembly, or a bundle in it, cannot be read.
        ReleaseError: an environment has other code, or a bundle has no SBOM beside it.
    """
    prod = assembly.read(folder, "prod")
    bundles = tuple(sorted((_bundle(code, prod) for code in prod.code), key=lambda b: b.function))
    wanted = {bundle.function: bundle.sha256 for bundle in bundles}
    for name in NAMES:
        for code in assembly.read(folder, name).code:
            if wanted.get(code.function, "") not in {"", sha256(code.file)}:
                raise ReleaseError(
                    f"{name} is given other code for {code.function} than prod: "
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


def statement(released: Release, results: Sequence[Result], invocation: str) -> dict[str, Any]:
    """What is said of a release; `invocation` is the build that says it."""
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


def read(found: dict[str, Any]) -> tuple[Release, tuple[Result, ...]]:
    """The release and the results that a statement speaks of.

    Raises:
        StatementError: it is of another kind, or lacks something.
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
        said = tuple(
            _result(each) for each in details["byproducts"] if each["mediaType"] == _SUMMARY
        )
    except (KeyError, TypeError, ValueError) as error:
        raise StatementError(f"it lacks a part: {error!r}") from error
    if (*kind, definition.get("buildType")) != (STATEMENT, PREDICATE, BUILD):
        raise StatementError(f"it is a {kind[0]!r} with a {kind[1]!r}")
    return released, said


def differences(attested: Release, released: Release) -> list[str]:
    """In which parts what is to be deployed is not what was attested."""
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
    """Of a file's bytes, hexadecimal."""
    return hashlib.sha256(file.read_bytes()).hexdigest()


def _bundle(code: Code, deployed: Deployed) -> Bundle:
    digest = sha256(code.file)
    if not contents.read(code.file):
        return Bundle(code.function, digest, "")
    bills = [file for file in deployed.files if published.describes(file.read_bytes(), digest)]
    if len(bills) != 1:
        raise ReleaseError(f"{len(bills)} SBOMs of {code.file.name} are published beside it, not 1")
    return Bundle(code.function, digest, sha256(bills[0]))


def _bill(bundle: Bundle) -> dict[str, Any]:
    return {
        "name": f"{bundle.function}{published.SUFFIX}",
        "mediaType": published.MEDIA_TYPE,
        "digest": {"sha256": bundle.sbom},
    }


def _byproduct(result: Result) -> dict[str, Any]:
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


def _result(byproduct: dict[str, Any]) -> Result:
    said = byproduct["annotations"]
    return Result(said["gate"], said["status"], said["sentence"], byproduct["digest"]["sha256"])
