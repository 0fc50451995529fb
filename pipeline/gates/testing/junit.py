"""Write the results of a session as JUnit XML, for CodeBuild's test reports."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

if TYPE_CHECKING:
    from pathlib import Path

    from pipeline.gates.testing.session import Session

_INVALID_IN_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def write(path: Path, name: str, session: Session) -> None:
    """Write the report of a gate."""
    suites = ET.Element("testsuites")
    suite = ET.SubElement(
        suites,
        "testsuite",
        name=name,
        tests=str(len(session.results)),
        failures=str(sum(each.outcome == "failed" for each in session.results)),
        errors=str(len(session.errors)),
        skipped=str(sum(each.outcome in {"skipped", "xfailed"} for each in session.results)),
        time=f"{sum(each.seconds for each in session.results):.3f}",
    )
    for result in session.results:
        case = _case(suite, result.id, result.seconds)
        if result.outcome == "failed":
            ET.SubElement(case, "failure", message=_text(result.message))
        elif result.outcome in {"skipped", "xfailed"}:
            ET.SubElement(case, "skipped")
    for node, message in session.errors.items():
        ET.SubElement(_case(suite, node, 0), "error", message=_text(message))
    ET.ElementTree(suites).write(path, encoding="utf-8", xml_declaration=True)


def _case(suite: ET.Element, node: str, seconds: float) -> ET.Element:
    *place, name = node.split("::")
    place[:1] = [each.removesuffix(".py").replace("/", ".") for each in place[:1]]
    return ET.SubElement(
        suite, "testcase", classname=_text(".".join(place)), name=_text(name), time=f"{seconds:.3f}"
    )


def _text(text: str) -> str:
    return _INVALID_IN_XML.sub("?", text)
