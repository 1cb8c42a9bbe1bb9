"""The model is fitted once on the documentation of the Python that runs these tests."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING

import numpy as np
import pytest

from pgsim.demo.corpus import Entry
from pgsim.demo.model import LsaEmbedder, document_text
from pgsim.embedders.protocol import Embedder
from pgsim.errors import EmbedderError, InvalidArgument, MissingExtra

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

# Looked for, not imported: every worker reads this file, and one runs it.
pytestmark = pytest.mark.skipif(find_spec("sklearn") is None, reason="scikit-learn is not installed")

RHYMES = ["the cat sat on the mat", "a dog chased the cat", "ReadLine reads_lines", "of the and"]


@dataclass
class Fitted:
    names: list[str]
    texts: list[str]
    model: LsaEmbedder
    vectors: NDArray[np.float32]

    def search(self, query: str, k: int, dims: int | None = None) -> list[str]:
        rows = self.vectors[:, :dims]
        rows = rows / np.linalg.norm(rows, axis=1, keepdims=True)
        order = np.argsort(-(rows @ self.model.embed_query(query)[:dims]), kind="stable")
        return [self.names[i] for i in order[:k]]


@pytest.fixture(scope="module")
def fitted(entries: list[Entry]) -> Fitted:
    texts = [document_text(entry) for entry in entries]
    model = LsaEmbedder.fit(texts)
    return Fitted([entry.name for entry in entries], texts, model, model.embed_documents(texts))


def test_it_is_an_embedder(fitted: Fitted) -> None:
    assert isinstance(fitted.model, Embedder)
    assert fitted.model.dims == 256


def test_every_vector_has_length_one(fitted: Fitted) -> None:
    query = fitted.model.embed_query("split a string")

    assert fitted.vectors.shape == (len(fitted.texts), 256)
    assert fitted.vectors.dtype == query.dtype == np.float32
    assert query.shape == (256,)
    np.testing.assert_allclose(np.linalg.norm(fitted.vectors, axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(query), 1, atol=1e-5)


@pytest.mark.parametrize(
    ("query", "answer"),
    [
        ("split a string by a separator", "str.split"),
        ("run a command and capture its output", "subprocess.run"),
        ("pick a random element from a sequence", "random.choice"),
        ("compute the greatest common divisor", "math.gcd"),
        ("copy a directory tree", "shutil.copytree"),
        ("sort a list in place", "list.sort"),
        ("square root", "math.sqrt"),
    ],
)
def test_a_question_finds_its_answer_among_the_first_ten(fitted: Fitted, query: str, answer: str) -> None:
    assert answer in fitted.search(query, 10)


def test_a_longer_prefix_agrees_more_with_the_whole_vector(fitted: Fitted) -> None:
    queries = [
        "split a string",
        "copy a directory tree",
        "parse json text",
        "square root",
        "wait for a thread",
    ]
    overlap = [
        sum(len(set(fitted.search(query, 10, dims)) & set(fitted.search(query, 10))) for query in queries)
        for dims in (16, 64, 192, 256)
    ]

    assert overlap == sorted(overlap)
    assert overlap[0] < overlap[-1] == 10 * len(queries)


def test_the_same_texts_give_the_same_model(fitted: Fitted) -> None:
    again = LsaEmbedder.fit(fitted.texts[::10], dims=32).embed_documents(fitted.texts[:50])
    once = LsaEmbedder.fit(fitted.texts[::10], dims=32).embed_documents(fitted.texts[:50])

    np.testing.assert_allclose(again, once, atol=1e-5)


def test_names_are_split_and_endings_do_not_matter() -> None:
    model = LsaEmbedder.fit(RHYMES, dims=3)

    np.testing.assert_array_equal(model.embed_query("readLines"), model.embed_query("reading_line"))


def test_a_saved_model_gives_the_same_vectors(fitted: Fitted, tmp_path: Path) -> None:
    path = tmp_path / "model.lsa"
    fitted.model.save(path)
    loaded = LsaEmbedder.load(path)

    np.testing.assert_array_equal(loaded.embed_documents(fitted.texts[:100]), fitted.vectors[:100])
    np.testing.assert_array_equal(loaded.embed_query("square root"), fitted.model.embed_query("square root"))


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 cut short", b"no arrays at all"])
def test_a_file_that_is_no_model_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "model.lsa"
    path.write_bytes(content)

    with pytest.raises(EmbedderError, match="is not a model"):
        LsaEmbedder.load(path)


def test_arrays_that_are_no_model_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "pickled.npz"
    np.savez(path, format=np.array([{"a": "pickle"}], dtype=object))

    with pytest.raises(EmbedderError, match="is not a model"):
        LsaEmbedder.load(path)


def test_a_query_of_no_known_word_is_refused_with_a_reason(fitted: Fitted) -> None:
    for query in ("", "of the and", "xyzzyq plughh"):
        with pytest.raises(EmbedderError, match="knows no word of") as raised:
            fitted.model.embed_query(query)
        assert raised.value.hint


def test_a_document_of_no_known_word_has_a_vector_all_the_same_on_every_prefix(fitted: Fitted) -> None:
    vectors = fitted.model.embed_documents(["", "of the and", "xyzzyq plughh"])

    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    assert (vectors[:, 0] > 0).all()
    assert (fitted.vectors[:, 0] > 0).all()


def test_no_documents_give_no_rows(fitted: Fitted) -> None:
    assert fitted.model.embed_documents([]).shape == (0, 256)


@pytest.mark.parametrize(("texts", "dims"), [(RHYMES, 5), (RHYMES, 0), ([], 2), (["of the"], 1), (["one text"], 2)])
def test_more_dims_than_the_texts_allow_are_refused(texts: list[str], dims: int) -> None:
    with pytest.raises(InvalidArgument, match=f"dims is {dims}"):
        LsaEmbedder.fit(texts, dims=dims)


def test_progress_tells_each_step() -> None:
    calls: list[tuple[int, int, str]] = []
    LsaEmbedder.fit(RHYMES, dims=2, progress=lambda done, steps, step: calls.append((done, steps, step)))

    assert calls == [(0, 2, "weighing words"), (1, 2, "finding directions"), (2, 2, "")]


def test_without_scikit_learn_the_error_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in [name for name in sys.modules if name.partition(".")[0] == "sklearn"]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, "sklearn", None)

    with pytest.raises(MissingExtra) as raised:
        LsaEmbedder.fit(RHYMES, dims=2)
    assert raised.value.hint == "pip install 'pgsim[demo]'"


def test_the_embedded_text_says_the_name_in_words() -> None:
    entry = Entry("pathlib.Path.read_text", "method", "pathlib", "(self)", "Open and read.\n\nMore.\n\nMost.")

    assert document_text(entry).startswith("pathlib Path read text\n\n")
    assert "Open and read." in document_text(entry)
    assert "Most." not in document_text(entry)
