"""Check the deployed packages: origin, vulnerabilities, licences, approval, and the SBOM.

An audit that could not run refuses the release. During an outage of the advisory service an
operator may set an override with `pithead override` (pipeline/gates/supply_chain/override.py). It
suppresses the refusal of an audit that *could not run*, which is then reported as not run; it never
suppresses a finding.

In the pipeline, `assembly/` is the released cloud assembly; without it, the bundle is built as in a
synthesis.
"""

from __future__ import annotations

import tomllib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from packaging.dependency_groups import resolve_dependency_groups

from environments.schema import NAMES, load_home
from pipeline.builds import bundle
from pipeline.builds.bundle import BundleError
from pipeline.gates.gate import REPORTS, ROOT
from pipeline.gates.report.result import CouldNotRunError, GateResult
from pipeline.gates.supply_chain import (
    approved,
    contents,
    declared,
    function_code,
    licences,
    lock,
    override,
    published,
    sbom,
    sources,
)
from pipeline.gates.supply_chain import audit as pip_audit
from pipeline.gates.supply_chain.contents import ContentsError
from pipeline.gates.template.assembly import AssemblyError
from pipeline.names import ASSEMBLY

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from environments.supply_chain import SupplyChain
    from pipeline.gates.report.findings import Finding
    from pipeline.gates.supply_chain.contents import Distribution
    from pipeline.gates.supply_chain.function_code import Deployed
    from pipeline.gates.supply_chain.lock import Pin

LOCK = ROOT / "requirements" / "service.txt"
GROUP = "service"
"""Dependency group of pyproject.toml with the deployed packages."""
TOOLS = (
    pip_audit.TOOL,
    contents.TOOL,
    declared.TOOL,
    sources.TOOL,
    licences.TOOL,
    approved.TOOL,
    published.TOOL,
)


@dataclass(frozen=True)
class _Shipped:
    """A bundle, its distributions, and its SBOM."""

    file: Path
    distributions: tuple[Distribution, ...]
    bill: str


def audit() -> GateResult:
    """Audit only the lock.

    Raises:
        CouldNotRunError: a package could not be looked up, or pip-audit wrote no report.
    """
    count, findings = pip_audit.audit(LOCK, REPORTS / "pip-audit.json", _lines(_pins()))
    return GateResult.of_findings(findings, _clean(count), tools=(pip_audit.TOOL,))


def run() -> GateResult:
    """Audit the lock, and check the deployed packages against the lock and the policy.

    Raises:
        CouldNotRunError: the audit could not run and no valid override suppresses that, or the
            bundle cannot be read.
        EnvironmentFileError: the policy in pyproject.toml is invalid.
    """
    policy = load_home().supply_chain
    pins = _pins()
    with ThreadPoolExecutor(max_workers=1) as pool:
        report = REPORTS / "pip-audit.json"
        audited = pool.submit(pip_audit.audit, LOCK, report, _lines(pins))
        try:
            shipped, findings = _deployed(pins, policy)
        except (AssemblyError, BundleError, ContentsError) as error:
            raise CouldNotRunError(str(error)) from error
    deployed = {each.name for one in shipped for each in one.distributions}
    details: dict[str, Any] = {"deployed": len(deployed), "bundles": len(shipped)}
    try:
        count, vulnerable = audited.result()
    except CouldNotRunError as failure:
        granted = override.granted(failure)
        details["override"] = granted.model_dump(mode="json")
        until = granted.until.isoformat()
        sentence = f"{failure}; overridden until {until} by {granted.by}: {granted.reason}"
        # With findings that are not waived, the gate refuses nevertheless.
        return GateResult("not run", sentence, details, tuple(findings), tools=TOOLS)
    clean = (
        f"{_clean(count)}; {len(deployed)} are deployed, each locked and under an allowed licence"
    )
    return GateResult.of_findings([*vulnerable, *findings], clean, details, TOOLS)


def _deployed(pins: Sequence[Pin], policy: SupplyChain) -> tuple[list[_Shipped], list[Finding]]:
    """Return the bundles and the findings in them, and write their SBOMs to the reports."""
    folder = ROOT / ASSEMBLY
    names = NAMES if folder.exists() else ()
    environments = [function_code.read(folder, name) for name in names]
    files = {code.file for each in environments for code in each.code}
    shipped = [
        _Shipped(file, contents.read(file), sbom.document(file, pins, policy.licences))
        for file in sorted(files or {bundle.build("linux-arm64")})
    ]
    REPORTS.mkdir(exist_ok=True)
    for each in shipped:
        if each.distributions:
            (REPORTS / f"{each.file.stem}{published.SUFFIX}").write_text(
                each.bill, encoding="utf-8"
            )
    return shipped, list(_findings(shipped, environments, pins, policy))


def _findings(
    shipped: Sequence[_Shipped],
    environments: Sequence[Deployed],
    pins: Sequence[Pin],
    policy: SupplyChain,
) -> Iterator[Finding]:
    lock_ = f"requirements/{LOCK.name}"
    distributions = sorted(
        (each for one in shipped for each in one.distributions), key=lambda each: each.name
    )
    yield from contents.against_the_lock(distributions, pins, lock_)
    yield from declared.check(distributions, _declared(), _lines(pins), lock_)
    for each in shipped:
        yield from sources.check(each.file)
    yield from licences.check(distributions, policy.licences, _lines(pins), lock_)
    if policy.approved is not None:
        yield from approved.check(pins, policy.approved, lock_)
    for environment in environments:
        used = {code.file for code in environment.code}
        for each in shipped:
            if each.distributions and each.file in used:
                yield from published.missing(each.bill, environment.files)


def _declared() -> Sequence[str]:
    """Return the requirements of the group that is deployed, with the groups that it includes."""
    try:
        text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
        return resolve_dependency_groups(tomllib.loads(text)["dependency-groups"], GROUP)
    except (OSError, ValueError, LookupError, ExceptionGroup) as error:
        raise CouldNotRunError(
            f"pyproject.toml: dependency group {GROUP}: {error!r}; correct the group"
        ) from error


def _pins() -> Sequence[Pin]:
    try:
        return lock.read(LOCK)
    except lock.LockError as error:
        raise CouldNotRunError(str(error)) from error


def _lines(pins: Sequence[Pin]) -> dict[str, int]:
    return {pin.name: pin.line for pin in pins}


def _clean(count: int) -> str:
    return f"no advisory names any of {count} packages"
