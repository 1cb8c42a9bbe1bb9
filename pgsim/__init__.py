"""Similarity search that keeps its promises, inside PostgreSQL."""

from __future__ import annotations

__version__ = "0.1.0"

from pgsim import errors
from pgsim.calls import (
    Advice,
    Compression,
    Hit,
    Measure,
    PrefixRecall,
    Problem,
    Query,
    Recall,
    TextStatistics,
    Transition,
)
from pgsim.database import AsyncDatabase, Database
from pgsim.embedders.protocol import Embedder
from pgsim.evaluation.fusion import FusionReport
from pgsim.evaluation.prefixes import PrefixReport
from pgsim.evaluation.trials import TuningReport
from pgsim.rerankers.protocol import Scorer

__all__ = [
    "Advice",
    "AsyncDatabase",
    "Compression",
    "Database",
    "Embedder",
    "FusionReport",
    "Hit",
    "Measure",
    "PrefixRecall",
    "PrefixReport",
    "Problem",
    "Query",
    "Recall",
    "Scorer",
    "TextStatistics",
    "Transition",
    "TuningReport",
    "__version__",
    "errors",
]
