"""The application: it squares numbers."""

from __future__ import annotations

import os
from typing import Annotated

from fastapi import FastAPI, Query
from pydantic import BaseModel

from .telemetry import Observed

app = FastAPI(title="Squares", version=os.environ.get("COMMIT", "unknown"))
app.add_middleware(Observed)


class Square(BaseModel):
    """A number and its square."""

    number: int
    square: int


@app.get("/")
def root() -> dict[str, str]:
    """Name the service."""
    return {"service": os.environ.get("SERVICE_NAME", "squares")}


@app.get("/health")
def health() -> dict[str, str]:
    """Answer."""
    return {"status": "alive"}


@app.get("/version")
def version() -> dict[str, str]:
    """Name the commit."""
    return {"commit": app.version}


@app.get("/squares")
def square(number: Annotated[int, Query(ge=-1000, le=1000)]) -> Square:
    """Square a number."""
    return Square(number=number, square=number * number)
