"""Embedding versions: the worker that fills them."""
