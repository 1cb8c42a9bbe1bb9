"""A cross-encoder run in this process by sentence-transformers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pgsim.errors import InvalidArgument, MissingExtra

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from sentence_transformers import CrossEncoder


class CrossEncoderScorer:
    """A sentence-transformers cross-encoder, by name, path or instance.

    ``name`` tells its scores from another model's in a cache; by default it is the model's name or path, and an
    instance needs one.

    Raises:
        InvalidArgument: an instance was given without a name.
        MissingExtra: a name was given and sentence-transformers is not installed.
    """

    def __init__(self, model_name_or_instance: str | CrossEncoder, *, name: str | None = None) -> None:
        if isinstance(model_name_or_instance, str):
            self.model = _load(model_name_or_instance)
            self.name = name or model_name_or_instance
            return
        if not name:
            raise InvalidArgument(
                "the cross-encoder is an instance, and has no name",
                hint="Name it, so that a cache can tell its scores from another's: name='my-model-v2'.",
            )
        self.model = model_name_or_instance
        self.name = name

    def score(self, query: str, texts: list[str]) -> NDArray[np.float32]:
        """The model's score of each pair: ``(n,) float32``."""
        answer = self.model.predict([(query, text) for text in texts], batch_size=len(texts), show_progress_bar=False)
        return np.asarray(answer, np.float32)


def _load(name: str) -> CrossEncoder:
    try:
        from sentence_transformers import CrossEncoder  # noqa: PLC0415 - an extra
    except ModuleNotFoundError as error:
        raise MissingExtra(
            "CrossEncoderScorer needs sentence-transformers, which is not installed",
            detail=str(error),
            hint="pip install 'pgsim[sentence-transformers]'",
        ) from error
    return CrossEncoder(name)
