"""Check the licences of the packages in a bundle against the policy."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Literal

from license_expression import ExpressionError, get_spdx_licensing
from packaging.licenses import InvalidLicenseExpression, canonicalize_license_expression

from pipeline.gates.report.findings import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from packaging.metadata import RawMetadata

    from environments.supply_chain import Licences, Review
    from pipeline.gates.supply_chain.contents import Distribution

TOOL = "licences"
PolicyStatus = Literal["forbidden", "unlisted", "allowed"]
_WORST_FIRST: tuple[PolicyStatus, ...] = ("forbidden", "unlisted", "allowed")

# Classifiers for exactly one licence. Most are for a family, such as "BSD License", or have no
# version, such as "Apache Software License". License-Expression replaces them (PEP 639).
_CLASSIFIERS = {
    "License :: CC0 1.0 Universal (CC0 1.0) Public Domain Dedication": "CC0-1.0",
    "License :: OSI Approved :: Boost Software License 1.0 (BSL-1.0)": "BSL-1.0",
    "License :: OSI Approved :: GNU Affero General Public License v3": "AGPL-3.0-only",
    "License :: OSI Approved :: GNU Affero General Public License v3 or later (AGPLv3+)": (
        "AGPL-3.0-or-later"
    ),
    "License :: OSI Approved :: GNU General Public License v2 (GPLv2)": "GPL-2.0-only",
    "License :: OSI Approved :: GNU General Public License v2 or later (GPLv2+)": (
        "GPL-2.0-or-later"
    ),
    "License :: OSI Approved :: GNU General Public License v3 (GPLv3)": "GPL-3.0-only",
    "License :: OSI Approved :: GNU General Public License v3 or later (GPLv3+)": (
        "GPL-3.0-or-later"
    ),
    "License :: OSI Approved :: ISC License (ISCL)": "ISC",
    "License :: OSI Approved :: MIT License": "MIT",
    "License :: OSI Approved :: MIT No Attribution License (MIT-0)": "MIT-0",
    "License :: OSI Approved :: Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "License :: OSI Approved :: The Unlicense (Unlicense)": "Unlicense",
}


@dataclass(frozen=True)
class Declared:
    """The licence that a package declares."""

    text: str
    """The declaration on one line; empty if there is none."""
    expression: str | None
    """The SPDX expression; None if the licence is not recognised."""


def declared(metadata: RawMetadata) -> Declared:
    """Return the licence in a wheel's metadata: `License-Expression`, `License`, or classifiers.

    Several classifiers apply together. If `License` and the classifiers disagree, the licence is
    not recognised.
    """
    if expression := metadata.get("license_expression"):
        return Declared(_line(expression), spdx(expression))
    field = _line(metadata.get("license", ""))
    classifiers = [each for each in metadata.get("classifiers", []) if each.startswith("License ")]
    named = {_CLASSIFIERS.get(each) for each in classifiers if each != "License :: OSI Approved"}
    known = sorted(each for each in named if each)
    by_field = spdx(field)
    by_classifiers = None if None in named or not known else spdx(" AND ".join(known))
    quoted = [text for text in (field[:80], *(each[11:] for each in classifiers)) if text]
    text = "; ".join(quoted)
    if by_field and known and spdx(" AND ".join(known)) != by_field:
        return Declared(text, None)
    return Declared(text, by_field or by_classifiers)


@cache
def spdx(text: str) -> str | None:
    """Return an expression in SPDX's form; None if it is no valid expression."""
    parsed = _parsed(text)
    return str(parsed.render()) if parsed is not None else None


def policy_status(expression: str, policy: Licences) -> PolicyStatus:
    """Return the policy's status of an expression: the best of OR, the worst of AND."""
    parsed = _parsed(expression)
    return "unlisted" if parsed is None else _policy_status(parsed, policy)


def check(
    distributions: Sequence[Distribution], policy: Licences, lines: Mapping[str, int], lock: str
) -> Iterator[Finding]:
    """Find packages whose licence the policy does not allow; `lines` are those of the lock."""
    reviews = {review.package: review for review in policy.reviewed}
    for each in distributions:
        violation = _violation(declared(each.metadata), policy, reviews.pop(each.name, None))
        about = [(each.name, f"{each.name} {each.version}", violation)]
        for part in each.vendored:
            name = f"{part.name} {part.version}, which is part of {each.name} {each.version},"
            violation = _part_violation(part.declared, policy)
            about.append((f"{each.name}/{part.name}", name, violation))
        for subject, name, (rule, why) in about:
            if rule:
                line = lines.get(each.name, 0)
                yield Finding(TOOL, rule, f"{name} {why}", path=lock, line=line, subject=subject)
    for left in reviews.values():
        message = f"{left.package} was reviewed and is not deployed; remove the review"
        yield Finding(TOOL, "unused-review", message, path="pyproject.toml", subject=left.package)


def _violation(said: Declared, policy: Licences, review: Review | None) -> tuple[str, str]:
    """Return the violated rule and the reason; both are empty if there is no violation."""
    found = policy_status(said.expression, policy) if said.expression else "unlisted"
    if found == "forbidden":
        return "forbidden-licence", f"is under {said.expression}, which may not be shipped"
    if review:
        return _reviewed(said, found, review, policy)
    if found == "allowed":
        return "", ""
    quoted = f"review it in pyproject.toml, with declared = {said.text!r}"
    if said.expression:
        why = f"is under {said.expression}, which is neither allowed nor reviewed"
        return "unlisted-licence", f"{why}; {quoted}"
    return "unknown-licence", f"declares no licence that SPDX knows; {quoted}"


def _reviewed(
    said: Declared, found: PolicyStatus, review: Review, policy: Licences
) -> tuple[str, str]:
    """Return the violation of a package with a review, like `_violation`."""
    if found == "allowed":
        return "unused-review", f"is under {said.expression}, which needs no review; remove it"
    if review.declared != said.text:
        why = f"declares {said.text!r} and was reviewed as {review.declared!r}"
        return "stale-review", f"{why}; review it again"
    if policy_status(review.licence, policy) == "forbidden":
        return "forbidden-licence", f"is under {review.licence}, which may not be shipped"
    return "", ""


def _part_violation(text: str, policy: Licences) -> tuple[str, str]:
    """Return the violation of a component inside of a wheel, for which there are no reviews."""
    found = policy_status(text, policy)
    if found == "allowed":
        return "", ""
    said = f"is under {text}" if text else "declares no licence"
    if found == "forbidden":
        return "forbidden-licence", f"{said}, which may not be shipped"
    return "unlisted-licence", f"{said}, which is not allowed; allow the licence in pyproject.toml"


def _policy_status(node: Any, policy: Licences) -> PolicyStatus:
    licensing = _licensing()
    if isinstance(node, licensing.OR):
        return max((_policy_status(arg, policy) for arg in node.args), key=_WORST_FIRST.index)
    if isinstance(node, licensing.AND):
        return min((_policy_status(arg, policy) for arg in node.args), key=_WORST_FIRST.index)
    name = node.render()
    if name in map(spdx, policy.forbidden):
        return "forbidden"
    # An exception only adds permissions.
    if {name, name.partition(" WITH ")[0]} & set(map(spdx, policy.allowed)):
        return "allowed"
    return "unlisted"


def _parsed(text: str) -> Any:
    """Return the tree of an expression; None if it is invalid, or has an unknown identifier."""
    try:
        # The parser raises other errors for some invalid texts; this function rejects them all.
        canonical = canonicalize_license_expression(text)
        return _licensing().parse(canonical, validate=True)
    except (InvalidLicenseExpression, ExpressionError):
        return None


@cache
def _licensing() -> Any:
    return get_spdx_licensing()  # type: ignore[no-untyped-call]  # the library has no types


def _line(text: str) -> str:
    return " ".join(text.split())
