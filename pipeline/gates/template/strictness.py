"""Compare settings with earlier ones, and find the looser ones.

The caller defines for each setting which direction is looser. Equal and stricter values give no
finding. The order of keys and list items does not matter.
"""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from pipeline.gates.template.template import canonical

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from environments.looser import Direction

_MAX_SHOWN_CHARACTERS = 120


@dataclass(frozen=True)
class Loosening:
    """A setting that is looser than before."""

    key: str
    """Its path, such as `load.max_p95_ms`; empty for the whole document."""
    before: Any
    """None if there was none."""
    after: Any
    sure: bool = True
    """False if no direction is defined for the key, so that a person must review the change."""

    @property
    def sentence(self) -> str:
        """Return a phrase with the old and the new value."""
        if isinstance(self.before, list) or isinstance(self.after, list):
            old, new = _items(self.before), _items(self.after)
            parts = [
                f"{word} {_shown(', '.join(sorted(items)))}"
                for word, items in (("adds", new - old), ("drops", old - new))
                if items
            ]
            return " and ".join(parts)
        return f"{_value(self.before)} becomes {_value(self.after)}"


def looser(before: Any, after: Any, directions: Mapping[str, Direction]) -> list[Loosening]:
    """Return the settings of a document that are looser, by key.

    A document is None if it does not exist. The keys of `directions` may contain `*`.
    """
    if before is None:
        return []
    if after is None:
        return [Loosening("", before, None)] if _holds(before, "", directions) else []
    return list(_compared(before, after, "", directions))


def _compared(
    before: Mapping[str, Any], after: Mapping[str, Any], path: str, known: Mapping[str, Direction]
) -> Iterator[Loosening]:
    for key in sorted(before.keys() | after.keys()):
        inner = f"{path}.{key}" if path else key
        was, now = before.get(key), after.get(key)
        if _same(was, now) or _direction(inner, known) == "never":
            continue
        if isinstance(was, dict):
            if isinstance(now, dict):
                yield from _compared(was, now, inner, known)
            elif _holds(was, inner, known):
                yield Loosening(inner, was, now)
        elif isinstance(now, dict):
            yield from _compared({}, now, inner, known)
        else:
            yield from _leaf(inner, was, now, _direction(inner, known))


def _leaf(key: str, was: Any, now: Any, direction: Direction | None) -> Iterator[Loosening]:
    found = _is_looser(was, now, direction)
    if found is not False:
        yield Loosening(key, was, now, sure=bool(found))


def _is_looser(was: Any, now: Any, direction: Direction | None) -> bool | None:
    """Return whether `now` is looser than `was`; None if no direction is defined."""
    if direction is None:
        return None
    if direction in {"grows", "shrinks"}:
        more, less = (now, was) if direction == "grows" else (was, now)
        return bool(_items(more) - _items(less))
    if was is None or now is None:
        return was is not None  # a new limit is stricter
    if direction == "widens":
        return bool(_items(now) - _items(was))
    return direction == "changed" or _is_further(was, now, direction)


def _is_further(was: Any, now: Any, direction: Direction) -> bool | None:
    if isinstance(direction, tuple):
        order = {value: place for place, value in enumerate(direction)}
        return order[now] > order[was] if was in order and now in order else None
    if not (_is_number(was) and _is_number(now)):
        return None
    return bool(now > was if direction == "higher" else now < was)


def _holds(document: Mapping[str, Any], path: str, known: Mapping[str, Direction]) -> bool:
    """Return whether the removal of a table would be looser."""
    for key, value in document.items():
        inner = f"{path}.{key}" if path else key
        direction = _direction(inner, known)
        if direction == "never":
            continue
        if not isinstance(value, dict):
            # The removal of a setting that must not grow is stricter.
            if direction != "grows":
                return True
        elif _holds(value, inner, known):
            return True
    return False


def _direction(key: str, known: Mapping[str, Direction]) -> Direction | None:
    if key in known:
        return known[key]
    return next((known[each] for each in known if fnmatchcase(key, each)), None)


def _same(was: Any, now: Any) -> bool:
    if isinstance(was, list) and isinstance(now, list):
        return _items(was) == _items(now)
    return canonical(was) == canonical(now)


def _items(value: Any) -> set[str]:
    if value is None:
        return set()
    items = value if isinstance(value, list) else [value]
    return {each if isinstance(each, str) else canonical(each) for each in items}


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _value(value: Any) -> str:
    return "nothing" if value is None else _shown(canonical(value))


def _shown(text: str) -> str:
    return text if len(text) <= _MAX_SHOWN_CHARACTERS else f"{text[:_MAX_SHOWN_CHARACTERS]}…"
