"""The SQL reference: public functions and views by their COMMENTs, and the errors."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pgsim import errors, release

if TYPE_CHECKING:
    from pathlib import Path

_SIGNATURE = re.compile(
    r'CREATE FUNCTION pgsim\.(?P<call>(?P<name>"?\w+"?)\s*\(.*?\)(?:\s*RETURNS .*?)?)\nLANGUAGE', re.DOTALL
)
_FUNCTION_COMMENT = re.compile(
    r"COMMENT ON FUNCTION pgsim\.\S+ IS\s+(?:'(?P<short>(?:[^']|'')*)'|\$\$(?P<long>.*?)\$\$);", re.DOTALL
)
_VIEW = re.compile(r"CREATE VIEW pgsim\.(?P<name>\w+) AS\nSELECT (?P<columns>.*?)\nFROM", re.DOTALL)
_VIEW_COMMENT = "COMMENT ON VIEW pgsim.{} IS '"
_AREAS = {
    "registry": "Registry",
    "search": "Search",
    "text": "Text search",
    "fusion": "Fusion",
    "versions": "Versions",
    "vectors": "Vectors",
    "codes": "Codes",
    "evaluation": "Evaluation",
    "filter": "Filter",
}


def sql_reference(root: Path | None = None) -> str:
    """The page docs/sql.md, from the SQL source in ``root``."""
    root = root or release.sql_root()
    lines = [
        "# SQL reference",
        "",
        "Every public function and view, as their comments in the database say (`\\df+ pgsim.*` shows them too).",
        "Call functions with named arguments: `pgsim.search('documents', query => $1, k => 5)`.",
    ]
    for area, title in _AREAS.items():
        entries = [
            _function(path.read_text())
            for path in sorted((root / "functions" / area).glob("*.sql"))
            if not path.name.startswith("_")
        ]
        if entries:
            lines += ["", f"## {title}", *(line for entry in entries for line in ("", *entry))]
    tables = (root / "tables.sql").read_text()
    lines += ["", "## Views", "", "| view | what it lists | columns |", "|---|---|---|"]
    lines += [_view(tables, match) for match in _VIEW.finditer(tables)]
    lines += ["", "## Errors", "", "| SQLSTATE | in Python | when |", "|---|---|---|"]
    lines += [
        f"| {sqlstate} | `{known.__name__}` | {(known.__doc__ or '').strip()} |"
        for sqlstate, known in sorted(errors.all_classes().items())
    ]
    return "\n".join(lines) + "\n"


def _function(text: str) -> list[str]:
    signature, comment = _SIGNATURE.search(text), _FUNCTION_COMMENT.search(text)
    if signature is None or comment is None:
        raise ValueError(f"neither a function nor its comment in: {text[:80]}")
    told = comment["long"] or comment["short"].replace("''", "'")
    call = re.sub(r"\n\) RETURNS", "\n)\nRETURNS", signature["call"].strip())
    return [
        f"### {signature['name'].strip(chr(34))}",
        "",
        "```sql no-run",
        f"pgsim.{call}",
        "```",
        "",
        *told.strip().splitlines(),
    ]


def _view(tables: str, match: re.Match[str]) -> str:
    comment = tables.split(_VIEW_COMMENT.format(match["name"]), 1)[1].split("';", 1)[0].replace("''", "'")
    flat = re.sub(r"\([^()]*\)", "", " ".join(match["columns"].split()))
    columns = (part.split(" AS ")[-1].split(".")[-1].strip() for part in flat.split(","))
    return f"| `pgsim.{match['name']}` | {comment} | {', '.join(f'`{column}`' for column in columns)} |"
