"""A gate's answer as one line of its build's log, which the console reads.

The line is a marker and JSON. It is at most `MAX_LINE_BYTES` long, so that one write to a pipe is
not mixed with those of gates that run in parallel (PIPE_BUF, pipe(7)). A parallel gate may write
before another has ended its line, so the marker may be anywhere in a line.
"""

from __future__ import annotations

import json
from bisect import bisect_right
from dataclasses import asdict, dataclass, replace
from typing import Literal, get_args

Status = Literal["passed", "refused", "not run"]
"""`not run` is let through by a recorded override alone."""
MAX_LINE_BYTES = 4096
"""With its newline."""
_MARKER = "pithead-gate-answer: "
_MAX_RULES_BYTES = 1024
_CUT = "…"


@dataclass(frozen=True)
class Answer:
    """What a gate says about a release."""

    gate: str
    status: Status
    sentence: str
    next: str | None = None
    """What to do after a refusal."""
    rules: tuple[str, ...] = ()
    """Rules of the findings that refuse, in order and each once, or of the reason not to run."""

    def line(self) -> str:
        """Return the log line, ASCII and without its newline.

        A longer sentence is cut, and so is a list of rules above 1 KB.
        """
        rules = range(len(self.rules) + 1)
        fitting = bisect_right(rules, _MAX_RULES_BYTES, key=lambda end: _size(self.rules[:end]))
        short = replace(self, rules=self.rules[: fitting - 1])
        if len(_text(short)) < MAX_LINE_BYTES:
            return _text(short)
        ends = range(len(self.sentence) + 1)
        fitting = bisect_right(
            ends, MAX_LINE_BYTES - 1, key=lambda end: len(_text(_cut(short, end)))
        )
        return _text(_cut(short, fitting - 1))


def read(line: str) -> Answer | None:
    """Return the answer in a log line; None if there is none."""
    _, marker, text = line.partition(_MARKER)
    if not marker:
        return None
    return _answer(text) or read(text)


def _size(rules: tuple[str, ...]) -> int:
    return len(json.dumps(rules))


def _cut(answer: Answer, end: int) -> Answer:
    return replace(answer, sentence=answer.sentence[: max(0, end)] + _CUT)


def _text(answer: Answer) -> str:
    return _MARKER + json.dumps(asdict(answer))


def _answer(text: str) -> Answer | None:
    try:
        found, _ = json.JSONDecoder().raw_decode(text)
        answer = Answer(**(found | {"rules": tuple(found["rules"])}))
    except (ValueError, KeyError, TypeError):
        return None
    texts = (answer.gate, answer.sentence, answer.next or "", *answer.rules)
    well_formed = all(isinstance(each, str) for each in texts)
    return answer if well_formed and answer.status in get_args(Status) else None
