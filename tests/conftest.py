from __future__ import annotations

import os

# Two workers share two cores: threads of numpy's that wait for one another take a matrix three times as long.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

pytest_plugins = [
    "fixtures.server",
    "fixtures.databases",
    "fixtures.roles",
    "fixtures.sql_source",
    "fixtures.command_line",
    "fixtures.standard_library",
    "fixtures.type_checker",
]
