"""MOCK integrations: constant responses, and the mapping template that CORS needs.

CORS for several origins uses a template that compares the request's `Origin` with each of them.
Its statements (`#set` of a header, `#if` of comparisons, `#set` of a response override, `#end`)
are supported. Any other template is rejected when the method is created.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

_FROM_HEADER = re.compile(r'#set\(\$(\w+) = \$input\.params\(\)\.header\.get\("([^"]+)"\)\)')
_OVERRIDE = re.compile(r"#set\(\$context\.responseOverride\.header\.([\w-]+) = \$(\w+)\)")
_IF = re.compile(r"#if\((.+)\)")
_EQUALS = re.compile(r'\$(\w+) == "([^"]*)"')
_MATCHES = re.compile(r'\$(\w+)\.matches\("([^"]*)"\)')
_STATUS = re.compile(r'"?statusCode"?\s*:\s*(\d{3})')


class MockTemplate:
    """A response template: plain text, or statements that override headers.

    Raises:
        ValueError: a statement is not supported.
    """

    def __init__(self, template: str) -> None:
        self._lines = [line.strip() for line in template.splitlines() if line.strip()]
        self.text = ""
        if not any("#" in line or "$" in line for line in self._lines):
            self.text, self._lines = template, []
        for line in self._lines:
            self._check(line)

    def overrides(self, headers: Mapping[str, str]) -> dict[str, str]:
        """Return the response headers that the template sets, given the request's headers."""
        variables: dict[str, str] = {}
        found: dict[str, str] = {}
        blocks: list[bool] = []
        for line in self._lines:
            if branch := _IF.fullmatch(line):
                blocks.append(any(_holds(each, variables) for each in _alternatives(branch[1])))
            elif line == "#end":
                blocks.pop()
            elif not all(blocks):
                continue
            elif read := _FROM_HEADER.fullmatch(line):
                variables[read[1]] = headers.get(read[2], "")
            elif override := _OVERRIDE.fullmatch(line):
                found[override[1]] = variables.get(override[2], "")
        return found

    @staticmethod
    def _check(line: str) -> None:
        branch = _IF.fullmatch(line)
        if branch:
            known = all(
                _EQUALS.fullmatch(each) or _MATCHES.fullmatch(each)
                for each in _alternatives(branch[1])
            )
        else:
            known = bool(
                line == "#end" or _FROM_HEADER.fullmatch(line) or _OVERRIDE.fullmatch(line)
            )
        if not known:
            raise ValueError(
                f"the mapping template's {line!r} is not part of the local cloud; "
                "use a Lambda function"
            )


class Mock:
    """A MOCK integration's response, from its description in the API's shape."""

    def __init__(self, integration: Mapping[str, Any]) -> None:
        template = (integration.get("requestTemplates") or {}).get("application/json") or ""
        wanted = _STATUS.search(template)
        responses: dict[str, Any] = integration.get("integrationResponses") or {}
        # The response for the template's status, or else the default one without a pattern.
        found = responses.get(wanted[1]) if wanted else None
        chosen = found or next(iter(responses.values()), None)
        self.status = int(chosen["statusCode"]) if wanted and chosen else None
        """None if the request template sets no status, or no response exists."""
        self._headers = {
            name.removeprefix("method.response.header."): value.strip("'")
            for name, value in ((chosen or {}).get("responseParameters") or {}).items()
        }
        templates = (chosen or {}).get("responseTemplates") or {}
        self._template = MockTemplate(templates.get("application/json") or "")

    def answer(self, headers: Mapping[str, str]) -> tuple[dict[str, str], bytes]:
        """Return headers and body; the names of the request's headers are as sent."""
        answered = {"Content-Type": "application/json"} | self._headers
        return answered | self._template.overrides(headers), self._template.text.encode()


def _alternatives(condition: str) -> list[str]:
    return [each.strip() for each in condition.split("||")]


def _holds(comparison: str, variables: Mapping[str, str]) -> bool:
    if equal := _EQUALS.fullmatch(comparison):
        return variables.get(equal[1], "") == equal[2]
    match = _MATCHES.fullmatch(comparison)
    return bool(match and re.fullmatch(match[2], variables.get(match[1], "")))
