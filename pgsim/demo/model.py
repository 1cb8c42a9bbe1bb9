"""An embedding model that is trained in a second and needs no download: latent semantic analysis.

TF-IDF weights of the words of a text, projected on the leading singular vectors of the texts it was fitted
on. Dimensions are ordered by singular value, so every prefix is the best embedding of its width in the least
squares sense: the model is Matryoshka by nature.

Source: Deerwester, Dumais, Furnas, Landauer, Harshman, "Indexing by Latent Semantic Analysis" (1990).
"""

from __future__ import annotations

import re
import zipfile
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from pgsim.errors import EmbedderError, InvalidArgument, MissingExtra

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray
    from sklearn.feature_extraction.text import TfidfVectorizer

    from pgsim.demo.corpus import Entry

_FORMAT: Final = 1
_SEED: Final = 0
_COMMON: Final = ""  # the word that every document is given, and that no text contains

_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
# Words of grammar only: the usual English lists hold "call", "empty", "file", "find", "first", "name", which
# mean something here; "self" and "cls" are in every signature, "none", "true" and "false" in most.
_STOP_WORDS = frozenset(
    """
    a an and any are as at be been being but by can cls do does false for from has have how i if in into
    is it its may none not of on or s self t that the their them then there these this those to true was
    were what when which while will with you your
    """.split()  # noqa: SIM905 - one word a line would be a page
)


def document_text(entry: Entry) -> str:
    """The text of an entry that is embedded: what it is called, its kind, the first paragraphs of its docstring.

    The name is said three times and the first paragraph twice, which is what ranked known answers highest;
    signatures and further paragraphs ranked them lower.
    """
    return _weighted(entry.name, entry.kind, entry.doc)


def _weighted(name: str, kind: str, doc: str) -> str:
    words = " ".join(_WORD.findall(name))
    first, *others = doc.split("\n\n")
    return "\n\n".join([words, words, words, kind, first, first, *others[:1]])


class LsaEmbedder:
    """Embeds short English texts about programs; fitted on the texts it shall search.

    Every document is given one more word, the same for all. By the theorem of Perron and Frobenius the first
    singular vector of such a matrix has no zero entry and one sign, here positive: so the first coordinate
    of every document is positive, and neither a document nor any prefix of its vector is ever zero, which
    cosine distance does not allow. A document of no known word gets the direction of that common word, the
    average document. A query is not given it: a query of no known word is an error.
    """

    def __init__(self, vocabulary: Sequence[str], idf: NDArray[np.float32], components: NDArray[np.float32]) -> None:
        """A fitted model from its parts; see `fit` and `load`.

        ``vocabulary`` holds w words, "" being the one common to all documents; ``idf`` is ``(w,) float32``,
        ``components`` is ``(dims, w) float32``, its rows orthonormal. Raises `MissingExtra` without
        scikit-learn, `EmbedderError` when the parts do not fit together.
        """
        if _COMMON not in vocabulary or idf.shape != (len(vocabulary),) or components.shape[1:] != idf.shape:
            raise EmbedderError(
                f"{len(vocabulary)} words, weights of shape {idf.shape} and directions of shape "
                f"{components.shape} are not one model.",
                hint="Fit the model again, and save it with LsaEmbedder.save.",
            )
        self._vocabulary = list(vocabulary)
        self._idf = idf
        self._components = components
        self._document_weights = _vectorizer(_document_words, self._vocabulary)
        self._query_weights = _vectorizer(_words, self._vocabulary)
        self._document_weights.idf_ = self._query_weights.idf_ = idf

    @classmethod
    def fit(
        cls,
        texts: Sequence[str],
        *,
        dims: int = 256,
        progress: Callable[[int, int, str], None] | None = None,
    ) -> LsaEmbedder:
        """Learns words, weights and directions from texts; the same texts give the same model.

        ``dims`` is the width of the vectors, at most the number of texts and of distinct words. ``progress``
        is called with the steps done, the number of steps, and the current step. Raises `InvalidArgument`
        when there is too little text for the width, `MissingExtra` without scikit-learn.
        """
        report = progress or (lambda _done, _steps, _step: None)
        report(0, 2, "weighing words")
        vectorizer = _vectorizer(_document_words, None)
        weights = vectorizer.fit_transform(texts) if texts else None
        widest = min(weights.shape[0], weights.shape[1] - 1) if weights is not None else 0
        if not 1 <= dims <= widest:
            raise InvalidArgument(
                f"dims is {dims}; {len(texts)} texts with this many words allow at most {widest}.",
                hint="Fit on more text, or ask for fewer dims.",
            )
        report(1, 2, "finding directions")
        components = _leading_directions(weights, dims)
        report(2, 2, "")
        vocabulary = [str(word) for word in vectorizer.get_feature_names_out()]
        return cls(vocabulary, vectorizer.idf_.astype(np.float32), components)

    @property
    def dims(self) -> int:
        """The width of the vectors."""
        return len(self._components)

    def embed_documents(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """The vectors of stored texts: ``(n, dims) float32``, each of length 1, whatever the text."""
        if not texts:
            return np.empty((0, self.dims), np.float32)
        return self._project(self._document_weights.transform(texts))

    def embed_query(self, text: str) -> NDArray[np.float32]:
        """The vector of a search text: ``(dims,) float32``, of length 1.

        Raises `EmbedderError` when the model knows none of its words.
        """
        vector: NDArray[np.float32] = self._project(self._query_weights.transform([text]))[0]
        if not vector.any():
            raise EmbedderError(
                f"The model knows no word of {text!r}.",
                detail=f"It knows {len(self._vocabulary) - 1} words: those of the texts it was fitted on.",
                hint="Ask with other words: it is a small model of English words about Python.",
            )
        return vector

    def narrowed(self, dims: int) -> LsaEmbedder:
        """The model of its first ``dims`` directions alone."""
        return LsaEmbedder(self._vocabulary, self._idf, self._components[:dims])

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes the model to a file of plain arrays (``.npz`` format, under exactly this name)."""
        with Path(path).open("wb") as file:
            np.savez(
                file,
                format=np.int64(_FORMAT),
                vocabulary=np.array(self._vocabulary, dtype=np.str_),
                idf=self._idf,
                components=self._components,
            )

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> LsaEmbedder:
        """Reads a model that `save` wrote; its vectors equal those of the saved one.

        Nothing in the file is executed. Raises `FileNotFoundError`, and `EmbedderError` when the file is not
        such a model.
        """
        try:
            with Path(path).open("rb") as opened, np.load(opened, allow_pickle=False) as file:
                version = int(file["format"])
                vocabulary, idf, components = file["vocabulary"].tolist(), file["idf"], file["components"]
        except (ValueError, KeyError, EOFError, IndexError, zipfile.BadZipFile) as error:
            raise EmbedderError(
                f"{str(path)!r} is not a model that LsaEmbedder.save wrote.", detail=str(error)
            ) from error
        if version != _FORMAT:
            raise EmbedderError(
                f"{str(path)!r} is a model of format {version}; this pgsim reads format {_FORMAT}.",
                hint="Fit the model again.",
            )
        return cls(vocabulary, idf, components)

    def _project(self, weights: Any) -> NDArray[np.float32]:
        """``(n, dims) float32`` of sparse ``(n, w)``, rows of length 1; a row of no words stays zero."""
        vectors: NDArray[np.float32] = np.asarray(weights @ self._components.T, dtype=np.float32)
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        vectors /= np.where(lengths > 0, lengths, 1)
        return vectors


class EntryEmbedder:
    """A model over rows of a table of entries: a row's text is its name, its kind and its docstring, in lines."""

    def __init__(self, model: LsaEmbedder) -> None:
        self._model = model

    def embed_documents(self, texts: list[str]) -> NDArray[np.float32]:
        """The vectors of rows: ``(n, dims) float32``, each of length 1; weighed as `document_text` does."""
        parts = ((*text.split("\n", 2), "", "")[:3] for text in texts)
        return self._model.embed_documents([_weighted(*part) for part in parts])

    def embed_query(self, text: str) -> NDArray[np.float32]:
        """The vector of a search text: ``(dims,) float32``, of length 1. Raises as `LsaEmbedder` does."""
        return self._model.embed_query(text)

    def narrowed(self, dims: int) -> EntryEmbedder:
        """The same over the first ``dims`` directions of its model."""
        return EntryEmbedder(self._model.narrowed(dims))


def _vectorizer(analyzer: Callable[[str], list[str]], vocabulary: list[str] | None) -> TfidfVectorizer:
    """Weights ``(1 + ln count) * idf``, rows of length 1; the idf of a word of all texts is 1."""
    try:
        from sklearn.feature_extraction.text import TfidfVectorizer  # noqa: PLC0415
    except ImportError as error:
        raise MissingExtra(
            "The demonstration's embedding model needs scikit-learn, which is not installed.",
            hint="pip install 'pgsim[demo]'",
        ) from error
    return TfidfVectorizer(analyzer=analyzer, vocabulary=vocabulary, sublinear_tf=True, dtype=np.float32)


def _leading_directions(weights: Any, dims: int) -> NDArray[np.float32]:
    """The ``dims`` right singular vectors of the largest singular values, as rows, in that order."""
    from sklearn.decomposition import TruncatedSVD  # noqa: PLC0415

    with np.errstate(divide="ignore", invalid="ignore"):  # shares of variance, of texts that are all alike
        components = TruncatedSVD(dims, n_iter=4, random_state=_SEED).fit(weights).components_
    components[0] = np.abs(components[0])  # one sign in theory; rounding may give entries near zero another
    return components.astype(np.float32)  # type: ignore[no-any-return]


def _document_words(text: str) -> list[str]:
    return [_COMMON, *_words(text)]


def _words(text: str) -> list[str]:
    """The words of a text; names in snake_case, camelCase and with dots are split into theirs."""
    return [word for piece in _WORD.findall(text) if (word := _stem(piece))]


@lru_cache(maxsize=100_000)
def _stem(piece: str) -> str | None:
    """A word without its plural, ``-ing`` or ``-ed``, or None when it carries no meaning here."""
    word = piece.lower()
    if len(word) < 2 or word in _STOP_WORDS:
        return None
    if len(word) > 4 and word.endswith("ies"):
        word = word[:-3] + "y"
    elif len(word) > 3 and word.endswith(("sses", "shes", "ches", "xes")):
        word = word[:-2]
    elif len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us", "is")):
        word = word[:-1]
    for suffix in ("ing", "ed"):
        if len(word) - len(suffix) >= 3 and word.endswith(suffix):
            word = word.removesuffix(suffix)
            if len(word) > 3 and word[-1] == word[-2] and word[-1] not in "lsz":
                word = word[:-1]
            break
    return word.removesuffix("e") if len(word) > 3 else word
