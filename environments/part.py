"""What all tables of the files have in common."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Part(BaseModel):
    """A table: unchangeable, without unknown keys, and its values of exactly their types."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)
