"""Reviewed, expiring suppressions of findings: `pipeline/waivers.toml`."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import TYPE_CHECKING, Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from pipeline.gates.report.catalogue import NAMES, PASSING
from pipeline.gates.report.findings import Finding, fingerprints

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from pathlib import Path
    from typing import Self

TOOL = "waivers"
"""The tool name of findings about waivers."""
_WARNING_PERIOD = timedelta(days=7)
"""Days before its expiry on which a waiver becomes a warning."""
_WORDS = Annotated[str, Field(min_length=1)]


class WaiversError(Exception):
    """The waivers cannot be read, so it is unknown what is waived."""


class Waiver(BaseModel):
    """A reviewed suppression of one gate's finding, until a date."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    gate: str
    rule: _WORDS
    path: _WORDS | None = None
    subject: _WORDS | None = None
    fingerprint: Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")] | None = None
    reason: Annotated[str, Field(min_length=10)]
    owner: _WORDS
    expires: date

    @field_validator("gate")
    @classmethod
    def _is_a_gate(cls, gate: str) -> str:
        if gate not in NAMES:  # nothing would report it as unused
            raise ValueError(f"the gates are {', '.join(NAMES)}")
        return gate

    @model_validator(mode="after")
    def _names_a_finding(self) -> Self:
        if not (self.path or self.subject or self.fingerprint):
            raise ValueError("give path, subject or fingerprint: a rule alone waives too much")
        return self

    def covers(self, finding: Finding, fingerprints: Collection[str]) -> bool:
        """Return whether the waiver matches a finding in each key that it has.

        A rule may be given by an alias. `fingerprints` has the finding's own under each name.
        """
        return (
            self.rule.upper() in {name.upper() for name in (finding.rule, *finding.aliases)}
            and self.path in {None, finding.path}
            and self.subject in {None, finding.subject}
            and (self.fingerprint is None or self.fingerprint in fingerprints)
        )


@dataclass(frozen=True)
class Result:
    """A finding, its fingerprint, and the waiver that suppresses it, if one does."""

    finding: Finding
    fingerprint: str
    waiver: Waiver | None = None


class _Waivers(BaseModel):
    model_config = ConfigDict(extra="forbid")

    waiver: tuple[Waiver, ...] = ()


def read(path: Path) -> tuple[Waiver, ...]:
    """Read the waivers of a file; none if the file does not exist.

    Raises:
        WaiversError: the TOML is invalid, a key is missing or wrong, or a gate does not exist.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return ()
    except (OSError, UnicodeDecodeError) as error:
        raise WaiversError(f"{path.name}: {error}") from error
    try:
        waivers = _Waivers.model_validate(tomllib.loads(text)).waiver
    except tomllib.TOMLDecodeError as error:
        raise WaiversError(f"{path.name}: {error}") from error
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        what = first["msg"].removeprefix("Value error, ")
        raise WaiversError(f"{path.name}: {key}: found {first['input']!r}; {what}") from error
    return waivers


def apply(
    waivers: Sequence[Waiver],
    gate: str,
    findings: Sequence[Finding],
    today: date,
    *,
    whole: bool = True,
) -> list[Result]:
    """Match findings of a gate with its waivers, and add findings about the waivers.

    A waiver applies until the end of its last day, and is a warning in the week before. An expired
    waiver suppresses nothing and is an error. So is an unused waiver, if the `whole` was checked;
    gates whose findings disappear with a deployment are exempt.
    """
    mine = [each for each in waivers if each.gate == gate]
    holding = [each for each in mine if today <= each.expires]
    results = [
        Result(finding, known, next((w for w in holding if w.covers(finding, names)), None))
        for finding, (known, *names) in zip(findings, _every_fingerprint(findings), strict=True)
    ]
    used = {each.waiver for each in results}
    unused = [each for each in mine if whole and each not in used]
    about = [_about(each, today) for each in unused if gate not in PASSING or each.expires < today]
    ending = [each for each in holding if each in used and each.expires - today <= _WARNING_PERIOD]
    about += [_ending(each, today) for each in ending]
    return results + [
        Result(finding, known) for finding, known in zip(about, fingerprints(about), strict=True)
    ]


def _every_fingerprint(findings: Sequence[Finding]) -> list[list[str]]:
    """Return for each finding its fingerprint, then those under each name of its rule."""
    known = fingerprints(findings)
    found = []
    for number, finding in enumerate(findings):
        names = [known[number], known[number]]
        for alias in finding.aliases:
            renamed = replace(finding, rule=alias)
            others = [*findings[:number], renamed, *findings[number + 1 :]]
            names.append(fingerprints(others)[number])
        found.append(names)
    return found


def _ending(waiver: Waiver, today: date) -> Finding:
    days = (waiver.expires - today).days
    when = f"in {days} day{'s' if days > 1 else ''}" if days else "today"
    return replace(
        _about(waiver, today),
        rule="expiring-waiver",
        severity="warning",
        message=f"the waiver of {waiver.rule} for {_names(waiver)} by {waiver.owner} expires "
        f"{when}, on {waiver.expires}; fix the finding, or have {waiver.owner} renew it",
    )


def _names(waiver: Waiver) -> str:
    return waiver.fingerprint or waiver.subject or waiver.path or ""


def _about(waiver: Waiver, today: date) -> Finding:
    names = _names(waiver)
    expired = waiver.expires < today
    return Finding(
        tool=TOOL,
        rule="expired-waiver" if expired else "unused-waiver",
        message=f"the waiver of {waiver.rule} for {names} by {waiver.owner} "
        + (
            f"expired on {waiver.expires}; fix the finding, or have {waiver.owner} renew it"
            if expired
            else "suppresses no finding; remove it"
        ),
        path="pipeline/waivers.toml",
        subject=f"{waiver.gate} {waiver.rule} {names}",
    )
