"""Split a build's command lines into simple commands, without executing them."""

from __future__ import annotations

import re
import shlex

_ASSIGNMENT = re.compile(r"[A-Za-z_]\w*=")
_PREFIXES = {"sudo", "command", "exec", "time", "env", "then", "do", "else", "if", "!", "{"}
_PUNCTUATION = ";&|()\n"


def commands(line: str) -> list[tuple[str, ...]]:
    """Return the commands of a line of shell, each as its words; none if the line is invalid.

    A program has no folder. Quoted text is one word: commands that the line generates at run time
    (`sh -c`, `eval`, a variable) are not found.
    """
    lexer = shlex.shlex(line.replace("\\\n", " "), posix=True, punctuation_chars=_PUNCTUATION)
    lexer.whitespace = " \t\r"
    lexer.whitespace_split = True
    lexer.commenters = ""
    try:
        tokens = list(lexer)
    except ValueError:
        return []
    found: list[list[str]] = [[]]
    for token in tokens:
        if token and set(token) <= set(_PUNCTUATION):
            found.append([])
        else:
            found[-1].append(token)
    return [command for words in found if (command := _command(words))]


def _command(words: list[str]) -> tuple[str, ...]:
    left = list(words)
    while left and (_ASSIGNMENT.match(left[0]) or left[0] in _PREFIXES):
        left.pop(0)
    return (left[0].rsplit("/", 1)[-1], *left[1:]) if left else ()
