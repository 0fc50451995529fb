"""Under which licences a bundle is shipped, and whether the policy lets it."""

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
Standing = Literal["forbidden", "unlisted", "allowed"]
_WORST_FIRST: tuple[Standing, ...] = ("forbidden", "unlisted", "allowed")

# Classifiers that name one licence; most name a family, as "BSD License" does, or no version, as
# "Apache Software License". PyPI adds none any more: License-Expression took their place (PEP 639).
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
    """What a package says of its licence."""

    text: str
    """As the package states it, on one line; empty if it states none."""
    expression: str | None
    """As an SPDX expression; None if the licence is not recognised."""


def declared(metadata: RawMetadata) -> Declared:
    """What a wheel's metadata says: `License-Expression`, else `License`, else its classifiers.

    The old field and the classifiers have to agree, and of several classifiers all hold: a
    package that says one thing here and another there has said neither.
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
    """An expression as SPDX writes it; None where it is none."""
    parsed = _parsed(text)
    return str(parsed.render()) if parsed is not None else None


def standing(expression: str, policy: Licences) -> Standing:
    """How the policy sees an expression: of alternatives the best, of what all holds the worst."""
    parsed = _parsed(expression)
    return "unlisted" if parsed is None else _standing(parsed, policy)


def check(
    distributions: Sequence[Distribution], policy: Licences, lines: Mapping[str, int], lock: str
) -> Iterator[Finding]:
    """What may not be shipped as the policy stands; `lines` says where in the lock a package is."""
    reviews = {review.package: review for review in policy.reviewed}
    for each in distributions:
        verdict = _verdict(declared(each.metadata), policy, reviews.pop(each.name, None))
        about = [(each.name, f"{each.name} {each.version}", verdict)]
        for part in each.vendored:
            name = f"{part.name} {part.version}, which is part of {each.name} {each.version},"
            verdict = _part_verdict(part.declared, policy)
            about.append((f"{each.name}/{part.name}", name, verdict))
        for subject, name, (rule, why) in about:
            if rule:
                line = lines.get(each.name, 0)
                yield Finding(TOOL, rule, f"{name} {why}", path=lock, line=line, subject=subject)
    for left in reviews.values():
        message = f"{left.package} was reviewed and is not deployed; remove the review"
        yield Finding(TOOL, "unused-review", message, path="pyproject.toml", subject=left.package)


def _verdict(said: Declared, policy: Licences, review: Review | None) -> tuple[str, str]:
    """The rule that is broken and why, both empty where none is."""
    found = standing(said.expression, policy) if said.expression else "unlisted"
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
    return "unknown-licence", f"does not say in SPDX's words what it is under; {quoted}"


def _reviewed(said: Declared, found: Standing, review: Review, policy: Licences) -> tuple[str, str]:
    """As `_verdict`: whether a review holds."""
    if found == "allowed":
        return "unused-review", f"is under {said.expression}, which needs no review; remove it"
    if review.declared != said.text:
        why = f"declares {said.text!r} and was reviewed as {review.declared!r}"
        return "stale-review", f"{why}; review it anew"
    if standing(review.licence, policy) == "forbidden":
        return "forbidden-licence", f"is under {review.licence}, which may not be shipped"
    return "", ""


def _part_verdict(text: str, policy: Licences) -> tuple[str, str]:
    """As `_verdict`; what a wheel brings along is not reviewed part by part."""
    found = standing(text, policy)
    if found == "allowed":
        return "", ""
    said = f"is under {text}" if text else "does not say what it is under"
    if found == "forbidden":
        return "forbidden-licence", f"{said}, which may not be shipped"
    return "unlisted-licence", f"{said}, which is not allowed; allow the licence in pyproject.toml"


def _standing(node: Any, policy: Licences) -> Standing:
    licensing = _licensing()
    if isinstance(node, licensing.OR):
        return max((_standing(arg, policy) for arg in node.args), key=_WORST_FIRST.index)
    if isinstance(node, licensing.AND):
        return min((_standing(arg, policy) for arg in node.args), key=_WORST_FIRST.index)
    name = node.render()
    if name in map(spdx, policy.forbidden):
        return "forbidden"
    # An exception only adds permissions.
    if {name, name.partition(" WITH ")[0]} & set(map(spdx, policy.allowed)):
        return "allowed"
    return "unlisted"


def _parsed(text: str) -> Any:
    """The tree of an expression; None where it is none, or names what SPDX does not."""
    try:
        # The parser stumbles over some texts that are no expressions; this names them all.
        canonical = canonicalize_license_expression(text)
        return _licensing().parse(canonical, validate=True)
    except (InvalidLicenseExpression, ExpressionError):
        return None


@cache
def _licensing() -> Any:
    return get_spdx_licensing()  # type: ignore[no-untyped-call]  # the library has no types


def _line(text: str) -> str:
    return " ".join(text.split())
