"""Similarity search that keeps its promises, inside PostgreSQL."""

from __future__ import annotations

__version__ = "0.1.0"

from pgsim import errors
from pgsim.calls import Advice, Hit, Measure, Problem, Query, Recall, TextStatistics, Transition
from pgsim.database import AsyncDatabase, Database
from pgsim.embedders.protocol import Embedder
from pgsim.rerankers.protocol import Scorer
from pgsim.tuning import FusionReport

__all__ = [
    "Advice",
    "AsyncDatabase",
    "Database",
    "Embedder",
    "FusionReport",
    "Hit",
    "Measure",
    "Problem",
    "Query",
    "Recall",
    "Scorer",
    "TextStatistics",
    "Transition",
    "__version__",
    "errors",
]
