from __future__ import annotations

import datetime
from typing import TYPE_CHECKING

import numpy as np
import pytest
from papers import AGE, CITED, NOW, ROWS, Papers, body

from pgsim.vectors import vectors_text

if TYPE_CHECKING:
    from papers import Connection


@pytest.fixture
def papers(connection: Connection) -> Papers:
    rng = np.random.default_rng(11)
    made = Papers(
        connection,
        rng.normal(size=(ROWS, 8)).astype(np.float32),
        rng.normal(size=(ROWS, 4)).astype(np.float32),
    )
    connection.execute(
        "CREATE TABLE paper (id int PRIMARY KEY, venue int, lang text, cited int, published timestamptz, title text,"
        " body text, embedding vector(8))"
    )
    with connection.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO paper VALUES (%s, %s, %s, %s, %s, %s, %s)",
            [
                (
                    i,
                    i % 23,
                    "en" if i % 3 else "de",
                    CITED.get(str(i)),
                    NOW - datetime.timedelta(days=AGE[str(i)]),
                    f"paper {i}",
                    body(i),
                )
                for i in range(1, ROWS + 1)
            ],
        )
    connection.execute(
        "SELECT pgsim.create_collection('paper', text_columns => '{body}', filter_columns => '{lang,venue}');"
        "SELECT pgsim.create_model('big', 8); SELECT pgsim.create_model('small', 4, metric => 'l2');"
        "SELECT pgsim.create_version('paper', 'big', column_name => 'embedding');"
        "SELECT pgsim.create_embedding('paper', 'title', '{title}');"
        "SELECT pgsim.create_version('paper', 'small', embedding => 'title')"
    )
    keys = [str(i) for i in range(1, ROWS + 1)]
    connection.execute("SELECT pgsim.upsert('paper', 'big', %s, %s)", [keys, vectors_text(made.default)])
    connection.execute(
        "SELECT pgsim.upsert('paper', 'small', %s, %s, embedding => 'title')", [keys, vectors_text(made.title)]
    )
    connection.execute("ANALYZE paper")
    return made
