"""Scorers that read a query and a text together, and hits ranked anew by them.

An adapter imports its library when it is constructed, so importing this package needs no extra.
"""

from __future__ import annotations

from pgsim.rerankers.cross_encoder import CrossEncoderScorer
from pgsim.rerankers.protocol import Scorer
from pgsim.rerankers.scoring import MemoryCache, ScoreCache, cached_scores, score_key

__all__ = ["CrossEncoderScorer", "MemoryCache", "ScoreCache", "Scorer", "cached_scores", "score_key"]
