"""A derived version has what its base has, mapped, whoever writes that and however."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import numpy as np
import psycopg
import pytest
from atlas import DIM, Atlas, open_atlas, text, vectors
from hypothesis import given, settings
from hypothesis import strategies as st

from pgsim import Database
from pgsim.errors import InUse, InvalidArgument, WrongState
from pgsim.maps import Map, fit_pca, fit_whitening

if TYPE_CHECKING:
    from collections.abc import Callable

    from fixtures.roles import RoleFactory
    from fixtures.server import Server

    from pgsim.steps import Row

NEW = vectors(20, seed=7)


@pytest.fixture(params=["version table", "adopted column", "adopted halfvec"])
def world(connection: psycopg.Connection[Row], request: pytest.FixtureRequest) -> Atlas:
    """The three places where a base version's vectors may be, a derived version filled from there."""
    adopted, element = request.param != "version table", "halfvec" if "halfvec" in request.param else "vector"
    atlas = open_atlas(connection, adopted=adopted, element=element, rows=30)
    atlas.derive()
    assert atlas.database.fill_version("place", "rotated") == 30
    return atlas


def insert(atlas: Atlas, key: int, vector: np.ndarray | None = None) -> None:
    """A new row and its vector, in the way of the place where vectors are."""
    atlas.connection.execute("INSERT INTO place (id, name) VALUES (%s, 'new')", [key])
    if vector is not None:
        atlas.database.upsert("place", "base", [key], vector[None])


def close(atlas: Atlas, model: str = "rotated") -> bool:
    """Whether a derived version is its base, mapped: to the half precision of one of the worlds."""
    far = atlas.far(model)
    return far is not None and far < 2e-3


def test_filling_maps_every_row_in_batches_and_a_second_time_none(connection: psycopg.Connection[Row]) -> None:
    atlas = open_atlas(connection, rows=25)
    atlas.derive()
    seen: list[tuple[int, int]] = []
    assert atlas.far() is None
    assert atlas.database.fill_version("place", "rotated", size=10, progress=lambda *at: seen.append(at)) == 25
    assert seen[:3] == [(10, 25), (20, 25), (25, 25)]
    assert atlas.database.fill_version("place", "rotated") == 0
    assert close(atlas)


def test_a_vector_that_is_stored_replaced_or_removed_is_so_in_the_derived_version(world: Atlas) -> None:
    insert(world, 101, NEW[0])
    assert close(world)
    world.database.upsert("place", "base", [1, 2, 101], NEW[1:4])
    assert close(world)
    world.connection.execute("DELETE FROM place WHERE id IN (2, 101)")
    assert close(world)
    assert world.one(f"SELECT count(*) FROM {world.table('rotated')}") == 29
    statement = "UPDATE place SET embedding = NULL WHERE id = 5" if world.adopted else None
    world.connection.execute((statement or f"DELETE FROM {world.table('base')} WHERE key = 5").encode())
    assert close(world)
    assert world.one(f"SELECT count(*) FROM {world.table('rotated')}") == 28


def test_a_key_that_changes_takes_its_image_along(world: Atlas) -> None:
    world.connection.execute("UPDATE place SET id = id + 1000 WHERE id < 5")
    assert close(world)
    if world.adopted:
        world.connection.execute("UPDATE place SET id = id + 1000, embedding = %s WHERE id = 6", [text(NEW[0])])
        world.connection.execute("UPDATE place SET id = id - 1, embedding = %s WHERE id = 1006", [text(NEW[1])])
    assert close(world)
    assert world.one(f"SELECT count(*) FROM {world.table('rotated')}") == 30


def test_copy_and_truncate_reach_the_derived_version(world: Atlas) -> None:
    columns = "id, name, embedding" if world.adopted else "id, name"
    with world.connection.cursor().copy(f"COPY place ({columns}) FROM STDIN".encode()) as copy:
        for i, vector in enumerate(NEW):
            copy.write_row((500 + i, "copied", text(vector)) if world.adopted else (500 + i, "copied"))
    if not world.adopted:
        with world.connection.cursor().copy(f"COPY {world.table('base')} (key, embedding) FROM STDIN".encode()) as copy:
            for i, vector in enumerate(NEW):
                copy.write_row((500 + i, text(vector)))
    assert close(world)
    assert world.one(f"SELECT count(*) FROM {world.table('rotated')}") == 50
    world.connection.execute(f"TRUNCATE {world.table('base')} CASCADE".encode())
    assert world.one(f"SELECT count(*) FROM {world.table('rotated')}") == 0


# insert, replace, remove the vector, delete the row, rename the row; and a savepoint that is given up.
Step = tuple[str, int, int]
KINDS = st.sampled_from(["insert", "replace", "bulk", "delete", "rename", "undone"])
STEPS = st.lists(st.tuples(KINDS, st.integers(1, 12), st.integers(0, 19)), min_size=1, max_size=8)


@pytest.mark.parametrize("adopted", [False, True])
def test_after_any_history_the_derived_version_is_the_base_mapped(server: Server, template: str, adopted: bool) -> None:
    with server.database("histories", template) as name, psycopg.connect(server.dsn(name)) as connection:
        atlas = open_atlas(connection, adopted=adopted, rows=6)
        atlas.derive()
        atlas.database.fill_version("place", "rotated")
        connection.commit()

        @settings(max_examples=15, deadline=None)
        @given(STEPS)
        def check(steps: list[Step]) -> None:
            for step in steps:
                try:
                    with connection.transaction():
                        play(atlas, *step)
                except (psycopg.errors.UniqueViolation, psycopg.errors.RaiseException, InvalidArgument):
                    pass
            assert close(atlas)
            connection.rollback()

        check()


def play(atlas: Atlas, step: str, key: int, which: int) -> None:
    if step == "insert":
        insert(atlas, key, NEW[which])
    elif step == "replace":
        atlas.database.upsert("place", "base", [key], NEW[which][None], skip_absent=True)
    elif step == "bulk":
        atlas.database.upsert("place", "base", range(1, 13), NEW[:12] * (which + 1), skip_absent=True)
    elif step == "delete":
        atlas.connection.execute("DELETE FROM place WHERE id = %s", [key])
    elif step == "rename":
        atlas.connection.execute("UPDATE place SET id = %s WHERE id = %s", [which + 1, key])
    else:
        atlas.connection.execute("UPDATE place SET id = id + 100")
        atlas.database.upsert("place", "base", range(101, 113), NEW[:12], skip_absent=True)
        raise InvalidArgument("given up")


def test_what_a_trigger_of_the_users_makes_of_a_new_row_is_what_is_mapped(connection: psycopg.Connection[Row]) -> None:
    atlas = open_atlas(connection, adopted=True, rows=10)
    atlas.derive()
    atlas.database.fill_version("place", "rotated")
    connection.execute("""
        CREATE FUNCTION turn() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
            IF NEW.name = 'gone' THEN DELETE FROM place WHERE id = NEW.id;
            ELSE UPDATE place SET embedding = embedding * embedding WHERE id = NEW.id; END IF;
            RETURN NULL; END $$;
        CREATE TRIGGER a_turn AFTER INSERT ON place FOR EACH ROW EXECUTE FUNCTION turn()
    """)
    connection.execute(
        "INSERT INTO place (id, name, embedding) SELECT 100 + g, CASE WHEN g %% 3 = 0 THEN 'gone' ELSE 'kept' END, %s "
        "FROM generate_series(1, 9) AS g",
        [text(NEW[0])],
    )
    assert atlas.one("SELECT count(*) FROM place") == 16
    assert close(atlas)


def test_partitions_of_an_adopted_table_are_followed_and_rows_that_move_between_them(
    connection: psycopg.Connection[Row],
) -> None:
    connection.execute(
        f"""
        CREATE TABLE place (id int, part int, name text, embedding vector({DIM}), PRIMARY KEY (id, part))
            PARTITION BY LIST (part);
        CREATE TABLE place_1 PARTITION OF place FOR VALUES IN (1);
        CREATE TABLE place_2 PARTITION OF place FOR VALUES IN (2)
    """.encode()
    )
    database = Database(connection)
    database.create_collection("place")
    database.create_model("base", DIM)
    database.create_version("place", "base", column_name="embedding")
    insert = "INSERT INTO {} VALUES (%s, %s, 'x', %s)"
    for i in range(6):
        connection.execute(insert.format("place").encode(), [i, 1 + i % 2, text(NEW[i])])
    database.create_map("turned", "base", fit_pca(NEW))
    database.derive_model("rotated", "turned")
    database.create_version("place", "rotated")
    assert database.fill_version("place", "rotated", size=4) == 6
    connection.execute(insert.format("place_1").encode(), [10, 1, text(NEW[10])])
    connection.execute("CREATE TABLE place_3 PARTITION OF place FOR VALUES IN (3)")
    connection.execute(insert.format("place_3").encode(), [11, 3, text(NEW[11])])
    connection.execute("UPDATE place SET part = 3 WHERE id IN (0, 1)")
    connection.execute("UPDATE place SET part = 2, embedding = %s WHERE id IN (2, 11)", [text(NEW[12])])
    connection.execute("UPDATE place SET id = 99, embedding = %s WHERE id = 3", [text(NEW[13])])
    connection.execute("DELETE FROM place_2 WHERE id = 5")
    table = Atlas(connection, database, fit_pca(NEW), adopted=True).table("rotated")
    far = connection.execute(
        "SELECT count(*), count(d.key_1), count(b.id), max(d.embedding <-> pgsim.apply_map('turned', b.embedding)) "
        f"FROM place AS b FULL JOIN {table} AS d ON (d.key_1, d.key_2) = (b.id, b.part)".encode()
    ).fetchone()
    assert far is not None
    assert far[:3] == (7, 7, 7)
    assert far[3] < 1e-5  # type: ignore[operator]
    assert connection.execute('SELECT * FROM pgsim."check"()').fetchall() == []


def test_a_query_is_of_the_base_model_and_finds_what_it_finds_there(world: Atlas) -> None:
    search = world.database.search
    for query in NEW[:5]:
        base, derived = (search("place", query, k=8, model=model) for model in ("base", "rotated"))
        assert [hit.key for hit in base] == [hit.key for hit in derived]
        np.testing.assert_allclose([h.distance for h in base], [h.distance for h in derived], atol=2e-3)
    (first, second) = world.database.search_batch("place", NEW[:2], k=3, model="rotated")
    assert first == search("place", NEW[0], k=3, model="rotated")
    assert second[0].key == search("place", NEW[1], k=1, model="rotated")[0].key


def test_full_width_scores_stay_as_they_are(atlas: Atlas) -> None:
    atlas.derive()
    atlas.database.fill_version("place", "rotated")
    for query in NEW:
        base, derived = (atlas.database.search("place", query, k=60, model=model) for model in ("base", "rotated"))
        scores = {hit.key: hit.score for hit in base}
        np.testing.assert_allclose([scores[hit.key] for hit in derived], [hit.score for hit in derived], atol=1e-5)


def test_legs_of_a_hybrid_search_are_mapped_too_and_only_once(atlas: Atlas) -> None:
    atlas.derive()
    atlas.database.fill_version("place", "rotated")
    leg = {"turned": {"query": NEW[0].tolist(), "model": "rotated"}}
    one = atlas.database.search("place", legs=leg, k=5)
    assert [hit.key for hit in one] == [hit.key for hit in atlas.database.search("place", NEW[0], k=5)]
    both = atlas.database.search("place", NEW[0], k=5, legs=leg)
    assert [hit.key for hit in both] == [hit.key for hit in one]


def test_a_query_of_another_width_names_the_model_that_it_should_be_of(atlas: Atlas) -> None:
    atlas.derive("short", fit_pca(vectors(60), dims=5))
    atlas.database.fill_version("place", "short")
    assert len(atlas.database.search("place", NEW[0], model="short")) == 10
    with pytest.raises(Exception, match="the query, which model 'short' maps, has 5 dimensions; model 'base' has 12"):
        atlas.database.search("place", NEW[0, :5], model="short")


def test_recall_and_calibration_ask_in_the_base_models_space(connection: psycopg.Connection[Row]) -> None:
    atlas = open_atlas(connection, rows=60)
    atlas.derive(matryoshka=[4, DIM])
    atlas.database.fill_version("place", "rotated")
    atlas.database.create_index("place", "rotated")
    assert atlas.database.recall("place", model="rotated", sample=20).mean_recall == 1
    assert atlas.database.recall("place", NEW, model="rotated").mean_recall == 1
    assert atlas.database.calibrate("place", model="rotated")


def test_a_ladder_of_prefixes_is_indexed_and_searched(atlas: Atlas) -> None:
    atlas.derive(matryoshka=[4, 8, DIM])
    atlas.database.fill_version("place", "rotated")
    atlas.database.create_index("place", "rotated", dims=4, element="halfvec")
    funnel = atlas.database.search("place", NEW[0], model="rotated", dims=[4, DIM], k=10, mode="ann")
    assert [hit.key for hit in funnel] == [hit.key for hit in atlas.database.search("place", NEW[0], k=10)]
    atlas.database.create_index("place", "rotated", method="codes")
    assert len(atlas.database.search("place", NEW[0], model="rotated", mode="codes")) == 10


def test_no_embedder_is_asked_for_a_derived_version(atlas: Atlas) -> None:
    class Letters:
        def embed_documents(self, texts: list[str]) -> np.ndarray:
            return NEW[[len(text) % 20 for text in texts]]

        def embed_query(self, text: str) -> np.ndarray:
            return NEW[len(text) % 20]

    atlas.derive()
    atlas.database.fill_version("place", "rotated")
    atlas.connection.execute("INSERT INTO place VALUES (200, 'a new one'), (201, 'another')")
    assert (pending(atlas, "base"), pending(atlas, "rotated")) == (2, 0)
    # Asked for the derived version, a worker embeds for the one that it follows.
    assert atlas.database.embed("place", Letters(), model="rotated") == 2
    assert close(atlas)


def pending(atlas: Atlas, model: str) -> int:
    """How many rows of a version wait for an embedder."""
    return int(atlas.one("SELECT pending FROM pgsim.backfill_progress WHERE model = %s", model))


def test_vectors_stored_under_the_derived_model_are_stored_under_its_base(world: Atlas) -> None:
    world.database.upsert("place", "rotated", [1, 2], NEW[:2])
    assert close(world)
    np.testing.assert_allclose(world.database.search("place", NEW[0], k=1, model="base")[0].distance, 0, atol=2e-3)


def test_a_base_version_stays_while_another_follows_it_or_lets_it_go(atlas: Atlas) -> None:
    atlas.derive()
    database = atlas.database
    database.create_model("other", DIM)
    with pytest.raises(WrongState, match="not every row of 'place' under model 'base' is mapped"):
        database.drop_version("place", "base", force=True)
    database.fill_version("place", "rotated")
    before = database.search("place", NEW[0], k=5, model="rotated")
    database.activate("place", "rotated")
    with pytest.raises(InUse, match="the version of 'place' under model 'rotated' follows the one under 'base'"):
        database.drop_version("place", "base")
    database.drop_version("place", "base", force=True)
    assert database.search("place", NEW[0], k=5, model="rotated") == before
    # From here on it takes vectors of the base model itself, and waits for them.
    atlas.connection.execute("INSERT INTO place VALUES (300, 'new')")
    assert pending(atlas, "rotated") == 1
    database.upsert("place", "rotated", [300], NEW[:1])
    assert database.search("place", NEW[0], k=1, model="rotated")[0].key == "300"
    assert database.recall("place", model="rotated", sample=10).mean_recall == 1
    assert [problem for problem in database.check() if problem.severity == "error"] == []
    with pytest.raises(WrongState, match="follows no other any more"):
        database.fill_version("place", "rotated")


def test_a_vector_without_an_image_has_no_row_and_disturbs_no_writer(connection: psycopg.Connection[Row]) -> None:
    atlas = open_atlas(connection, adopted=True, metric="ip", rows=5)
    matrix = np.zeros((2, DIM), np.float32)
    matrix[0, 0] = matrix[1, 1] = 1e30
    atlas.derive("huge", Map("linear", matrix, normalized=False))
    connection.execute("UPDATE place SET embedding = %s WHERE id = 1", [str([1e20] * DIM)])
    assert atlas.database.fill_version("place", "huge") == 4
    connection.execute("UPDATE place SET embedding = %s WHERE id = 2", [str([1e20] * DIM)])
    assert atlas.one(f"SELECT count(*) FROM {atlas.table('huge')}") == 3


def test_a_refit_under_another_name_stands_beside_the_first(atlas: Atlas) -> None:
    atlas.derive()
    atlas.database.fill_version("place", "rotated")
    atlas.derive("again", fit_whitening(vectors(60)))
    atlas.database.upsert("place", "base", [1, 2, 3], NEW[:3])
    atlas.database.fill_version("place", "again")
    atlas.database.upsert("place", "base", [4, 5], NEW[3:5])
    for model in ("rotated", "again"):
        assert close(atlas, model)
    atlas.database.drop_version("place", "again")
    atlas.database.upsert("place", "base", [6], NEW[5:6])
    assert close(atlas)
    assert atlas.database.check() == []


def test_triggers_that_were_off_are_missed_and_mended(atlas: Atlas) -> None:
    table = atlas.derive()
    atlas.database.fill_version("place", "rotated")
    assert atlas.database.check() == []
    atlas.connection.execute(f"ALTER TABLE {atlas.table('base')} DISABLE TRIGGER USER".encode())
    atlas.database.upsert("place", "base", [1, 2], NEW[:2])
    atlas.connection.execute(f"DELETE FROM {atlas.table('base')} WHERE key = 3".encode())
    assert any("pgsim_map" in problem.problem for problem in atlas.database.check())
    atlas.database.sync_privileges("place")
    atlas.connection.execute(f"ALTER TABLE {atlas.table('base')} ENABLE TRIGGER note_removal".encode())
    assert close(atlas)
    atlas.connection.execute(f"DELETE FROM {table} WHERE key = 7".encode())
    (problem,) = atlas.database.check()
    assert "1 rows are not mapped yet" in problem.problem
    atlas.connection.execute(problem.hint.encode())
    assert close(atlas)


def test_whoever_may_write_the_table_keeps_the_derived_version_and_cannot_write_it(
    server: Server, template: str, role: RoleFactory
) -> None:
    writer, reader = role("writer"), role("reader")
    with server.database("rights", template) as name, psycopg.connect(server.dsn(name), autocommit=True) as connection:
        atlas = open_atlas(connection, adopted=True, rows=20)
        table = atlas.derive()
        atlas.database.fill_version("place", "rotated")
        connection.execute(
            f"""
            ALTER TABLE place ENABLE ROW LEVEL SECURITY;
            CREATE POLICY odd ON place USING (id % 2 = 1) WITH CHECK (true);
            GRANT INSERT ON place TO "{writer}"; GRANT SELECT ON place TO "{reader}"
        """.encode()
        )
        atlas.database.sync_privileges("place")
        assert atlas.database.check() == []
        with psycopg.connect(server.dsn(name, user=writer, password=writer), autocommit=True) as bound:
            # It may insert, and neither read nor update: what it writes is mapped all the same.
            bound.execute("INSERT INTO place VALUES (100, 'new', %s), (101, 'new', %s)", [text(NEW[0]), text(NEW[1])])
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                bound.execute(f"INSERT INTO {table} (key, embedding) VALUES (7, %s)".encode(), [text(NEW[0])])
        assert close(atlas)
        with psycopg.connect(server.dsn(name, user=reader, password=reader), autocommit=True) as bound:
            for statement in (f"DELETE FROM {table}", f"UPDATE {table} SET provisional = true"):
                with pytest.raises(psycopg.errors.InsufficientPrivilege):
                    bound.execute(statement.encode())
            assert bound.execute(f"SELECT bool_and(key % 2 = 1), count(*) FROM {table}".encode()).fetchone() == (
                True,
                11,
            )
            found = Database(bound).search("place", NEW[0], k=30, model="rotated")
            assert {int(hit.key) % 2 for hit in found} == {1}
            assert len(found) == 11


def test_rows_written_while_a_version_is_made_filled_and_refitted_are_all_there(server: Server, template: str) -> None:
    with server.database("busy", template) as name, psycopg.connect(server.dsn(name), autocommit=True) as connection:
        atlas = open_atlas(connection, rows=300)
        stop, failed = threading.Event(), list[BaseException]()

        def busy(what: Callable[[Database, np.random.Generator], Any], seed: int) -> threading.Thread:
            def work() -> None:
                random = np.random.default_rng(seed)
                try:
                    with Database(server.dsn(name)) as database:
                        while not stop.is_set():
                            what(database, random)
                except BaseException as error:  # noqa: BLE001
                    failed.append(error)

            thread = threading.Thread(target=work)
            thread.start()
            return thread

        def write(database: Database, random: np.random.Generator) -> None:
            keys = random.choice(300, 8, replace=False) + 1
            database.upsert("place", "base", sorted(map(int, keys)), random.normal(size=(8, DIM)), skip_absent=True)

        def renew(database: Database, random: np.random.Generator) -> None:
            key = int(random.integers(1, 300))
            with database.connection() as own:
                own.execute("DELETE FROM place WHERE id = %s", [key])
                own.execute("INSERT INTO place VALUES (%s, 'again')", [key])
            database.upsert("place", "base", [key], random.normal(size=(1, DIM)))

        threads = [busy(write, 1), busy(write, 2), busy(renew, 3)]
        try:
            for model in ("rotated", "refitted"):
                atlas.derive(model, fit_pca(vectors(100, seed=len(model))))
                atlas.database.fill_version("place", model, size=25)
        finally:
            stop.set()
            for thread in threads:
                thread.join()
        assert failed == []
        for model in ("rotated", "refitted"):
            assert close(atlas, model)


def test_a_derived_version_is_activated_and_its_base_is_not_retired_under_it(atlas: Atlas) -> None:
    atlas.derive()
    atlas.database.fill_version("place", "rotated")
    before = atlas.database.search("place", NEW[0], k=5)
    assert atlas.database.activate("place", "rotated") == "base"
    after = atlas.database.search("place", NEW[0], k=5)
    assert [hit.key for hit in after] == [hit.key for hit in before]
    atlas.database.upsert("place", "rotated", [1], NEW[:1])
    assert close(atlas)
    with pytest.raises(InUse, match="under model 'rotated' follows the one under 'base'"):
        atlas.database.retire("place", "base")


def test_a_base_whose_table_was_dropped_is_told_and_can_be_forgotten(atlas: Atlas) -> None:
    atlas.derive()
    atlas.database.fill_version("place", "rotated")
    atlas.connection.execute(f"DROP TABLE {atlas.table('base')} CASCADE".encode())
    told = {problem.object.rpartition(" ")[2]: problem for problem in atlas.database.check()}
    assert told["base"].problem == "its version table was dropped"
    assert "it follows was dropped" in told["rotated"].problem
    assert told["rotated"].hint.startswith(told["base"].hint)
    atlas.connection.execute(told["base"].hint.encode())
    [left] = [problem for problem in atlas.database.check() if problem.severity == "error"]
    assert left.problem.startswith("no version of this embedding is active")
    atlas.connection.execute(left.hint.encode())
    assert [problem for problem in atlas.database.check() if problem.severity == "error"] == []
    atlas.database.upsert("place", "rotated", [1], vectors(1, seed=5))
    assert atlas.one("SELECT count(*) FROM pgsim.search('place', %s::text::vector, 99)", text(vectors(1)[0])) == 60
