"""An application's own revisions use pgsim through ``op``."""

from __future__ import annotations

import re
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest
from fixtures.catalogue import catalogue

from pgsim import errors, install
from pgsim.alembic.operations import call_text

if TYPE_CHECKING:
    from conftest import Application
    from fixtures.server import Server

MakeApplication = Callable[..., "Application"]

TABLE = """
op.execute("CREATE TABLE notes (id int PRIMARY KEY, body text, title text, vector vector(4))")
op.pgsim_install("0.1.0")
"""
REGISTER = """
op.create_collection("notes", name="100% notes: a 'quoted' \\\\ name", text_columns=["body"], filter_columns=["id"])
op.enable_text("100% notes: a 'quoted' \\\\ name", text_config="simple", weights={"title": 2.5, "body": 1}, k1=0.9,
               concurrently=False)
op.create_model("small", 4, metric="l2", matryoshka=[2], query_prefix="query: 100%", properties={"by": "us"})
op.create_model("next", 4)
op.create_embedding("100% notes: a 'quoted' \\\\ name", "title", ["title"])
op.create_version("100% notes: a 'quoted' \\\\ name", "small", column_name="vector")
op.create_version("100% notes: a 'quoted' \\\\ name", "next")
"""
FORGET = """
op.disable_text("100% notes: a 'quoted' \\\\ name")
op.drop_version("100% notes: a 'quoted' \\\\ name", "next")
op.drop_version("100% notes: a 'quoted' \\\\ name", "small", force=True)
op.drop_embedding("100% notes: a 'quoted' \\\\ name", "title")
op.drop_collection("100% notes: a 'quoted' \\\\ name")
op.drop_model("small")
op.drop_model("next")
"""
NAME = "100% notes: a 'quoted' \\ name"


def _registered(connection: psycopg.Connection) -> list[tuple[object, ...]]:
    return [
        *connection.execute("SELECT name, text_columns, filter_columns FROM pgsim.collections"),
        *connection.execute("SELECT text_config, columns, weights, k1, b FROM pgsim._text"),
        *connection.execute(
            "SELECT name, metric, matryoshka, query_prefix, properties FROM pgsim.models ORDER BY name"
        ),
        *connection.execute("SELECT embedding, model, adopted FROM pgsim.versions ORDER BY id"),
        *connection.execute("SELECT name, source_columns FROM pgsim.embeddings ORDER BY name"),
    ]


def _indexes(connection: psycopg.Connection) -> list[tuple[object, ...]]:
    return connection.execute("SELECT method, valid, options FROM pgsim.indexes ORDER BY method").fetchall()


EXPECTED = [
    (NAME, ["body"], ["id"]),
    ("pg_catalog.simple", ["body", "title"], [1.0, 2.5], 0.9, 0.75),
    ("next", "cosine", [], "", {}),
    ("small", "l2", [2], "query: 100%", {"by": "us"}),
    ("default", "small", True),
    ("default", "next", False),
    ("default", ["body"]),
    ("title", ["title"]),
]


@pytest.mark.parametrize("driver", ["psycopg", "asyncpg"])
def test_upgrade_and_downgrade_leave_the_application_as_it_was(
    bare_dsn: str, make_application: MakeApplication, driver: str
) -> None:
    application = make_application(bare_dsn, "psycopg")
    if driver == "asyncpg":
        application.over_asyncpg(bare_dsn)
    application.revision(TABLE, 'op.pgsim_uninstall()\nop.execute("DROP TABLE notes")')
    application.revision(REGISTER, FORGET)

    application.upgrade()

    with psycopg.connect(bare_dsn) as connection:
        assert _registered(connection) == EXPECTED
    application.downgrade("0001")
    with psycopg.connect(bare_dsn) as connection:
        assert _registered(connection) == []
    application.downgrade("base")
    with psycopg.connect(bare_dsn) as connection:
        assert catalogue(connection) == []


def test_the_offline_script_does_the_same(server: Server, bare_dsn: str, make_application: MakeApplication) -> None:
    if server.bin_dir is None:
        pytest.skip("no psql")
    application = make_application(bare_dsn)
    application.revision(TABLE)
    application.revision(REGISTER)
    application.revision(f"op.create_similarity_index({NAME!r}, 'small', options={{'m': 8}})")
    psql = [str(server.bin_dir / "psql"), "-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", bare_dsn]
    subprocess.run(psql, input=application.offline(), text=True, check=True, capture_output=True)
    with psycopg.connect(bare_dsn) as connection:
        assert _registered(connection) == EXPECTED
        assert _indexes(connection) == [("codes", True, {}), ("hnsw", True, {"m": 8})]


def test_autogenerate_proposes_nothing_about_pgsim(bare_dsn: str, make_application: MakeApplication) -> None:
    application = make_application(bare_dsn)
    application.revision(
        """
op.execute("CREATE TABLE notes (id serial PRIMARY KEY, body text)")
op.execute("ALTER TABLE notes ADD vector vector(4)")
op.pgsim_install("0.1.0")
op.create_collection("notes", text_columns=["body"], filter_columns=["body"])
op.create_model("small", 4)
op.create_model("next", 4)
op.create_version("notes", "small", column_name="vector")
op.create_version("notes", "next")
op.create_similarity_index("notes", "small", concurrently=False)
op.create_similarity_index("notes", "next", method="codes", concurrently=False)
op.execute("CREATE TABLE alembic_version_pgsim (version_num text PRIMARY KEY)")
"""
    )
    application.metadata(
        'Table("notes", metadata, Column("id", Integer, primary_key=True), Column("body", Text),'
        ' Column("vector", VECTOR(4)))',
        imports="from pgvector.sqlalchemy import VECTOR",
    )
    application.upgrade()
    with psycopg.connect(bare_dsn) as connection:
        codes = "SELECT count(*) FROM pg_tables WHERE schemaname = 'pgsim_data' AND tablename LIKE '%codes'"
        assert connection.execute(codes).fetchall() == [(2,)]
    application.check()


def test_a_text_index_is_made_in_steps_unless_all_is_to_be_one_transaction(
    bare_dsn: str, make_application: MakeApplication
) -> None:
    application = make_application(bare_dsn)
    application.revision(TABLE + 'op.create_collection("notes", text_columns=["body"])')
    application.revision('op.enable_text("notes", k1=0.9)', 'op.disable_text("notes")')
    application.upgrade()
    with psycopg.connect(bare_dsn) as connection:
        assert connection.execute("SELECT k1, built FROM pgsim._text").fetchall() == [(0.9, True)]
        assert connection.execute("SELECT * FROM pgsim.check()").fetchall() == []
    application.over_asyncpg(bare_dsn)
    application.downgrade("0001")
    with pytest.raises(errors.InvalidArgument, match="connection of psycopg"):
        application.upgrade()


def test_a_similarity_index_is_built_concurrently(bare_dsn: str, make_application: MakeApplication) -> None:
    application = make_application(bare_dsn)
    application.revision(TABLE)
    application.revision(REGISTER)
    application.revision(
        f"op.create_similarity_index({NAME!r}, 'small', options={{'m': 8}})\nop.execute('CREATE TABLE after_it ()')",
        f"op.drop_similarity_index('notes_vector_hnsw')\nop.drop_similarity_codes({NAME!r}, 'small')",
    )
    application.upgrade("0002")
    application.upgrade()
    with psycopg.connect(bare_dsn) as connection:
        assert _indexes(connection) == [("codes", True, {}), ("hnsw", True, {"m": 8})]
        connection.execute("TABLE after_it")
    application.downgrade("0002")
    with psycopg.connect(bare_dsn) as connection:
        assert _indexes(connection) == []
        assert connection.execute("SELECT tablename FROM pg_tables WHERE tablename LIKE '%codes'").fetchall() == []


@pytest.mark.parametrize("concurrently", [True, False])
def test_codes_alone_come_and_go(bare_dsn: str, make_application: MakeApplication, concurrently: bool) -> None:
    application = make_application(bare_dsn)
    application.revision(TABLE)
    application.revision(REGISTER)
    application.revision(
        f"op.create_similarity_index({NAME!r}, 'next', method='codes', concurrently={concurrently})",
        f"op.drop_similarity_codes({NAME!r}, 'next')\nop.drop_similarity_codes({NAME!r}, 'next')",
    )
    application.upgrade()
    with psycopg.connect(bare_dsn) as connection:
        assert _indexes(connection) == [("codes", True, {})]
    application.downgrade("0002")
    with psycopg.connect(bare_dsn) as connection:
        assert _indexes(connection) == []


def test_errors_are_those_of_pgsim_and_the_revision_is_rolled_back(
    bare_dsn: str, make_application: MakeApplication
) -> None:
    application = make_application(bare_dsn)
    application.revision(TABLE)
    application.revision('op.create_model("small", 4)\nop.create_version("nothing", "small")')
    application.upgrade("0001")
    with pytest.raises(errors.UnknownCollection, match="nothing"):
        application.upgrade()
    with psycopg.connect(bare_dsn) as connection:
        assert _registered(connection) == []


def test_an_unknown_release_is_refused(bare_dsn: str, make_application: MakeApplication) -> None:
    application = make_application(bare_dsn)
    application.revision('op.pgsim_install("7.7.7")')
    with pytest.raises(errors.InvalidArgument, match=r"no release 7\.7\.7"):
        application.upgrade()
    with psycopg.connect(bare_dsn) as connection:
        assert install.installed_release(connection) is None


def test_an_upgrade_to_the_release_at_hand_does_nothing(database_dsn: str, make_application: MakeApplication) -> None:
    application = make_application(database_dsn)
    application.revision('op.pgsim_upgrade("0.1.0")')
    with psycopg.connect(database_dsn) as connection:
        before = catalogue(connection)
    application.upgrade()
    with psycopg.connect(database_dsn) as connection:
        assert catalogue(connection) == before


def test_arguments_become_literals_whatever_they_hold(connection: psycopg.Connection) -> None:
    names = ["plain", "it's", 'say "so"', "back\\slash", "{brace,comma}", "NULL", "", "100%", ":name", "é\n"]
    call = call_text(
        "f", {"text_columns": names, "properties": {"names": names}, "dim": 3, "force": True, "layer": None}
    )
    assert call.startswith("SELECT pgsim.f(text_columns => ")
    assert call.endswith("dim => 3, force => true);")
    statement = call.replace("pgsim.f(", "ROW(").replace("text_columns => ", "").replace("properties => ", "")
    statement = (
        statement.replace("dim => ", "")
        .replace("force => ", "")
        .replace("SELECT ROW(", "SELECT (")
        .split(", 3, true")[0]
    )
    array, document = connection.execute((statement.replace("SELECT (", "SELECT ")).encode()).fetchone() or ((), {})
    assert array == names
    assert document == {"names": names}


def test_importing_the_module_registers_nothing() -> None:
    script = (
        "import pgsim.alembic; from alembic.operations import Operations as O;"
        " print(hasattr(O, 'pgsim_install')); pgsim.alembic.register(); pgsim.alembic.register();"
        " print(hasattr(O, 'pgsim_install'))"
    )
    answer = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert answer.stdout.split() == ["False", "True"]


def test_alembics_plugins_register_it_too() -> None:
    plugins = pytest.importorskip("alembic.runtime.plugins")
    script = (
        "import pgsim.alembic; from alembic.operations import Operations as O;"
        " from alembic.runtime.plugins import Plugin;"
        " Plugin.setup_plugin_from_module(pgsim.alembic, 'pgsim'); print(hasattr(O, 'pgsim_install'))"
    )
    assert plugins
    answer = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert answer.stdout.split() == ["True"]


def test_the_revision_on_the_page_goes_up_and_down(bare_dsn: str, make_application: MakeApplication) -> None:
    page = (Path(__file__).parents[2] / "docs" / "alembic.md").read_text()
    body = re.search(
        r"^```\ndef upgrade\(\):\n(.*?)\n\n\ndef downgrade\(\):\n(.*?)^```", page, re.DOTALL | re.MULTILINE
    )
    assert body
    with psycopg.connect(bare_dsn) as connection:
        connection.execute(
            "CREATE TABLE documents (id int PRIMARY KEY, title text, body text, section text, embedding vector(384))"
        )
    application = make_application(bare_dsn)
    application.revision(textwrap.dedent(body[1]), textwrap.dedent(body[2]))
    application.upgrade()
    with psycopg.connect(bare_dsn) as connection:
        assert _indexes(connection) == [("codes", True, {}), ("hnsw", True, {})]
    application.downgrade("base")
    with psycopg.connect(bare_dsn) as connection:
        assert catalogue(connection) == []
