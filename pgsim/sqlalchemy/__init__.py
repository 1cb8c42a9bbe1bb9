"""Similarity search from SQLAlchemy: ``search()`` is a Select of entities and scores."""

from pgsim.sqlalchemy.search import hits, on_key, search, search_versions, version_hits

__all__ = ["hits", "on_key", "search", "search_versions", "version_hits"]
