"""Similarity search that keeps its promises, inside PostgreSQL."""

from __future__ import annotations

__version__ = "0.1.0"

from pgsim import errors
from pgsim.calls import Advice, Hit, Measure, Problem, Recall
from pgsim.database import AsyncDatabase, Database
from pgsim.embedders.protocol import Embedder

__all__ = [
    "Advice",
    "AsyncDatabase",
    "Database",
    "Embedder",
    "Hit",
    "Measure",
    "Problem",
    "Recall",
    "__version__",
    "errors",
]
