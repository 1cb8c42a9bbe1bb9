from __future__ import annotations

pytest_plugins = [
    "fixtures.server",
    "fixtures.databases",
    "fixtures.roles",
    "fixtures.sql_source",
    "fixtures.command_line",
]
