"""Why a pipeline's declaration is refused."""

from __future__ import annotations


class DefinitionError(Exception):
    """A declaration that AWS refuses, or that cannot be honoured; the message names what."""

    def __init__(self, message: str, code: str = "InvalidActionDeclarationException") -> None:
        super().__init__(message)
        self.code = code


def absent(what: str) -> DefinitionError:
    """The local cloud would not honour it."""
    return DefinitionError(f"{what} is not part of the local cloud")


def structure(message: str) -> DefinitionError:
    """AWS calls what is wrong the pipeline's structure."""
    return DefinitionError(message, "InvalidStructureException")
