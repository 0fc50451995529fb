"""Find packages without an exact version in commands that install or fetch them.

Versions from a variable and packages from a path are not checked.
"""

from __future__ import annotations

import re
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_EXACT_NPM = re.compile(r"\d+\.\d+\.\d+([-+][\w.+-]+)?|.*\$.*")
_EXACT_PYTHON = re.compile(r"===?[^*,]+$|@\d|@ ?https?://|\$")
_LOCAL_PATH = re.compile(r"[./~$]|file:|.*\.(whl|tgz|zip|tar\.gz)$")
_OPTIONS_WITH_VALUE = {
    *("-r", "--requirement", "-c", "--constraint", "-i", "--index-url", "--extra-index-url"),
    *("-t", "--target", "--python", "-p", "--prefix", "--registry", "--find-links", "-f"),
    *("--python-version", "--python-platform", "--loglevel", "--package", "--root", "--cache"),
}
"""Options whose next word is a value and not a package."""


def unpinned(command: tuple[str, ...]) -> Iterator[str]:
    """Yield the packages and requirement files of a command that are not pinned."""
    program, *rest = command
    if re.fullmatch(r"python[\d.]*", program) and rest[:1] == ["-m"] and len(rest) > 1:
        program, *rest = rest[1:]
    if program == "uv" and rest[:1] == ["pip"]:
        program, *rest = rest
    verbs = [each for each in rest if not each.startswith("-")][:2]
    yield from _of_node(program, rest, verbs)
    yield from _of_python(program, rest, verbs[0] if verbs else "")


def _of_node(program: str, rest: list[str], verbs: list[str]) -> Iterator[str]:
    if program in {"npx", "bunx", "pnpx"} and not {"--no-install", "--no"} & set(rest):
        yield from _npm(_run(rest))
    elif program in {"npm", "pnpm", "yarn", "bun"}:
        everywhere = bool({"-g", "--global"} & set(rest)) or verbs[:1] == ["global"]
        if everywhere and {"install", "i", "add"} & set(verbs):
            yield from _npm(_packages(rest, "install", "i", "add", "global"))
        elif {"exec", "dlx", "x"} & set(verbs[:1]):
            yield from _npm(_run(rest, *verbs[:1]))


def _of_python(program: str, rest: list[str], verb: str) -> Iterator[str]:
    if re.fullmatch(r"pip[\d.]*", program) and verb in {"install", "sync"}:
        if "--require-hashes" not in rest:
            named = _packages(rest, verb)
            yield from _values(rest, "-r", "--requirement")
            yield from named if verb == "sync" else _python(named)
    elif program == "pipx" and verb in {"install", "run"}:
        yield from _python(_run(rest, verb))
    elif program == "uvx" or (program, verb) == ("uv", "tool"):
        yield from _python(_run(rest, "tool", "install", "run"))


def _npm(packages: list[str]) -> Iterator[str]:
    for each in packages:
        name, _, version = each[1:].partition("@")  # a scope also begins with @
        if not _LOCAL_PATH.match(each) and not _EXACT_NPM.fullmatch(version):
            yield each[0] + name


def _python(packages: list[str]) -> Iterator[str]:
    for each in packages:
        if not _LOCAL_PATH.match(each) and not _EXACT_PYTHON.search(each):
            yield re.split(r"[\[<>=!~@ ]", each)[0]


def _run(words: list[str], *verbs: str) -> list[str]:
    """Return the packages fetched to run a command: from an option, else the command's own name."""
    return _values(words, "-p", "--package", "--spec", "--from") or _packages(words, *verbs)[:1]


def _values(words: list[str], *options: str) -> list[str]:
    joined = [each.partition("=") for each in words]
    return [value for option, value in pairwise(words) if option in options] + [
        value for option, _, value in joined if option in options and value
    ]


def _packages(words: list[str], *verbs: str) -> list[str]:
    """Return the words that are no options, no values of options and no verbs."""
    found, valued, left = [], False, set(verbs)
    for word in words:
        if valued:
            valued = False
        elif word.startswith("-"):
            valued = word in _OPTIONS_WITH_VALUE
        elif word in left:
            left.discard(word)
        else:
            found.append(word)
    return found
