"""pg_dump carries a collection to another database, where it works as it did."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import psycopg
import pytest

if TYPE_CHECKING:
    from fixtures.server import Server

COLLECTIONS = """
CREATE SCHEMA "my library";
CREATE TABLE "my library"."The Documents"
    (tenant int, "the key" text, title text, embedding vector(3), PRIMARY KEY (tenant, "the key"));
INSERT INTO "my library"."The Documents" VALUES
    (1, 'a', 'Chess', '[1,0,0]'), (1, 'b', 'Go', '[0,1,0]'), (2, 'a', 'Poker', NULL);
ALTER TABLE "my library"."The Documents" ENABLE ROW LEVEL SECURITY;
CREATE POLICY everybody ON "my library"."The Documents" USING (true);
GRANT SELECT ON "my library"."The Documents" TO PUBLIC;
CREATE TABLE events (id int, day date, title text, PRIMARY KEY (id, day)) PARTITION BY RANGE (day);
CREATE TABLE events_2024 PARTITION OF events FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');
SELECT pgsim.create_collection('"my library"."The Documents"', 'docs', text_columns => '{title}');
SELECT pgsim.create_collection('events', text_columns => '{title}');
SELECT pgsim.create_model('toy', 3, matryoshka => '{2}'), pgsim.create_model('own', 3);
SELECT pgsim.create_model('dropped', 3);
SELECT pgsim.create_version('docs', 'toy'), pgsim.create_version('docs', 'own', column_name => 'embedding');
SELECT pgsim.create_version('docs', 'dropped');
SELECT pgsim.drop_version('docs', 'dropped'), pgsim.create_version('events', 'toy');
SELECT pgsim.create_index('docs', 'toy', dims => 2, element => 'halfvec'), pgsim.create_index('docs', 'own');
SELECT pgsim.upsert('docs', 'toy', '{"{\\"tenant\\": 1, \\"the key\\": \\"b\\"}"}', ARRAY['[1,0,0]']::vector[]);
SELECT pgsim.enable_text('docs');
SELECT pgsim.mark_ready('events', 'toy'), pgsim.set_gate('docs', 'mrr', 0.5);
SELECT pgsim.record_quality('docs', 'own', 'mrr', 0.9);
SELECT pgsim.set_probes('own', '{a probe}', ARRAY['[1,0,0]']::vector[]);
INSERT INTO events VALUES (1, '2024-05-05', 'x');
"""
# After a restore nothing that was found ready before is taken for ready: the tables are compared again.
CHANGE_OF_MODEL = """
SELECT pgsim.check_probes('own', '{a probe}', ARRAY['[1,0,0]']::vector[]);
UPDATE "my library"."The Documents" SET embedding = '[0,0,1]' WHERE embedding IS NULL;
SELECT pgsim.activate('docs', 'own', force => true);
SELECT pgsim.rollback('docs');
"""
ANSWERS = """
SELECT jsonb_build_object(
    'toy', (SELECT jsonb_agg(key) FROM pgsim.search('docs', '[1,0,0]')),
    'own', (SELECT jsonb_agg(key) FROM pgsim.search('docs', '[1,0,0]', model => 'own', mode => 'ann')),
    'text', (SELECT jsonb_agg(jsonb_build_array(key, score)) FROM pgsim.search('docs', text_query => 'chess poker')),
    'views', (SELECT jsonb_build_array(
        (SELECT jsonb_agg(to_jsonb(v) - 'created_at') FROM pgsim.versions AS v),
        (SELECT jsonb_agg(to_jsonb(c) - 'created_at') FROM pgsim.collections AS c),
        (SELECT jsonb_agg(to_jsonb(i) - 'created_at' - 'bytes') FROM pgsim.indexes AS i),
        (SELECT jsonb_agg(to_jsonb(h)) FROM pgsim.history AS h),
        (SELECT jsonb_agg(to_jsonb(g) - 'created_at') FROM pgsim.gates AS g),
        (SELECT jsonb_agg(to_jsonb(p)) FROM pgsim.backfill_progress AS p))),
    'check', (SELECT jsonb_agg(c) FROM pgsim.check() AS c))
"""


def test_a_restored_database_answers_as_the_first_one(server: Server, database_dsn: str) -> None:
    if server.bin_dir is None:
        pytest.skip("pg_dump and psql are not at hand")
    with psycopg.connect(database_dsn) as connection:
        connection.execute(COLLECTIONS)
        before = connection.execute(ANSWERS).fetchone()
    dump = subprocess.run([server.bin_dir / "pg_dump", database_dsn], check=True, capture_output=True).stdout
    with server.database("restored") as name:
        restored = server.dsn(name)
        subprocess.run(
            [server.bin_dir / "psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", restored],
            input=dump, check=True, stdout=subprocess.DEVNULL,
        )  # fmt: skip
        with psycopg.connect(restored, autocommit=True) as connection:
            assert connection.execute(ANSWERS).fetchone() == before
            connection.execute("""INSERT INTO "my library"."The Documents" VALUES (3, 'new', 'Bridge', NULL)""")
            assert connection.execute("SELECT count(*) FROM pgsim._queue WHERE keys[1] LIKE '%new%'").fetchone() == (2,)
            connection.execute(CHANGE_OF_MODEL)
            assert connection.execute(
                "SELECT action, previous_model FROM pgsim.history ORDER BY id DESC LIMIT 2"
            ).fetchall() == [
                ("rollback", "own"),
                ("activate", "toy"),
            ]
            connection.execute("SELECT pgsim.create_version('docs', 'dropped'), pgsim.drop_collection('docs')")
