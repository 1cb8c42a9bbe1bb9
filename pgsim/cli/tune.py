"""``pgsim tune``: what is fitted to a collection and its queries."""

from __future__ import annotations

import csv
import json
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape
from typer.core import TyperGroup

from pgsim.calls import Query
from pgsim.cli.connection import Dsn, opened
from pgsim.cli.ladder import index_rotated, say_what_is_next
from pgsim.cli.quality import Queries, read_vectors
from pgsim.cli.screen import output, progress, table
from pgsim.cli.sizes import read_bytes, show_bytes
from pgsim.cli.work import EmbedderSpec, embedder_of
from pgsim.database import translated
from pgsim.errors import InUse, InvalidArgument
from pgsim.evaluation.picture import check_picture, draw
from pgsim.indexes import create_index_concurrently

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import numpy as np
    from numpy.typing import NDArray

    from pgsim.database import Database
    from pgsim.evaluation.code_kinds import CodeKind, CodesReport
    from pgsim.evaluation.fusion import FusionReport
    from pgsim.evaluation.mean import Mean
    from pgsim.evaluation.prefixes import Prefix
    from pgsim.evaluation.trials import Trial, TuningReport


class _IndexByDefault(TyperGroup):
    """``pgsim tune COLLECTION`` is ``pgsim tune index COLLECTION``."""

    # typer's context is click's, or one of its own, by its release.
    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if args and args[0] not in {*self.commands, *ctx.help_option_names}:
            args = ["index", *args]
        return super().parse_args(ctx, args)


app = typer.Typer(
    help="Fit searches to your rows and queries. `pgsim tune COLLECTION` is `pgsim tune index COLLECTION`.",
    no_args_is_help=True,
    cls=_IndexByDefault,
)
Labels = Annotated[
    Path | None,
    typer.Option(
        help="CSV with the columns query (its place in --queries, from 0) and key (of a row that answers it)."
    ),
]
Sample = Annotated[int, typer.Option(help="How many rows are copied, 100 to 1000000.")]
Searches = Annotated[int, typer.Option(help="How many rows are queries, when none are given.")]
Seed = Annotated[int, typer.Option(help="The same one takes the same rows.")]
Model = Annotated[str | None, typer.Option(help="By default the active version's.")]
Dims = Annotated[
    list[int] | None,
    typer.Option(help="A length to try, several times; by default the model's, or 1/6, 1/3, 1/2 and the whole."),
]
Json = Annotated[bool, typer.Option("--json", help="Everything measured, as JSON.")]


@app.command()
def index(
    collection: str,
    recall: Annotated[float, typer.Option(help="The share of the exact answer to be found, 0.5 to 1.")] = 0.99,
    k: Annotated[int, typer.Option("-k", help="How many rows a search is for.")] = 10,
    model: Model = None,
    embedding: str = "default",
    queries: Queries = None,
    labels: Labels = None,
    dims: Dims = None,
    element: Annotated[list[str] | None, typer.Option(help="vector, halfvec or bit; by default all.")] = None,
    rotated: Annotated[
        bool | None,
        typer.Option("--rotated/--no-rotated", help="Try rotated prefixes too; by default with --apply."),
    ] = None,
    budget: Annotated[str | None, typer.Option(help="Bytes that the index may take: 500MB, 2GB.")] = None,
    slack: Annotated[
        float, typer.Option(help="A smaller index may take so much longer than the fastest: 0.25 is a quarter.")
    ] = 0.25,
    sample: Sample = 20_000,
    searches: Searches = 100,
    seed: Seed = 0,
    max_seconds: Annotated[float | None, typer.Option(help="Begin no further index after so many.")] = None,
    plot: Annotated[Path | None, typer.Option(help="Draw size against time: FILE.svg, .png or .pdf.")] = None,
    as_json: Json = False,
    apply: Annotated[bool, typer.Option("--apply", help="Build the index that is chosen, and calibrate.")] = False,
    dsn: Dsn = None,
) -> None:
    """Build and search indexes of several sizes on a copy of some rows, show what each costs and finds, choose one."""
    vectors = read_vectors(queries)
    relevant = None if labels is None else _read_labels(labels, vectors)
    size = None if budget is None else read_bytes("--budget", budget)
    if plot is not None:
        check_picture(plot)
    with opened(dsn) as database:
        if apply:
            _require_owner(database, collection, model, embedding)
        with trial_bar(collection, quiet=as_json) as show:
            report = database.tune_index(
                collection,
                vectors,
                relevant=relevant,
                recall=recall,
                k=k,
                model=model,
                embedding=embedding,
                dims=dims,
                elements=element,
                rotated=False if rotated is None and not apply else rotated,
                budget=size,
                slack=slack,
                sample=sample,
                searches=searches,
                seed=seed,
                max_seconds=max_seconds,
                progress=show,
            )
        if plot is not None:
            draw(report, plot)
        if as_json:
            output.print_json(json.dumps(report.as_json()))
        else:
            show_trials(report)
            output.print(_chosen(report), highlight=False)
        if apply and report.best is not None:
            _apply(database, report, report.best, vectors)
        if apply and report.best is None:
            raise typer.Exit(1)


@app.command()
def prefixes(
    collection: str,
    k: Annotated[int, typer.Option("-k", help="How many rows a search is for.")] = 10,
    keep: Annotated[list[int] | None, typer.Option(help="Rows kept by a prefix, several times; 10, 50, 200.")] = None,
    dims: Dims = None,
    tolerance: Annotated[float, typer.Option(help="The recall that may be lost.")] = 0.01,
    model: Model = None,
    embedding: str = "default",
    queries: Queries = None,
    sample: Sample = 10_000,
    searches: Searches = 50,
    seed: Seed = 0,
    as_json: Json = False,
    dsn: Dsn = None,
) -> None:
    """Show how much of the answer short prefixes find, as they are and rotated, and which answers they cannot give."""
    vectors, depths = read_vectors(queries), keep or [10, 50, 200]
    with opened(dsn) as database, progress() as bars:
        bar = bars.add_task(f"Comparing {escape(collection)}", visible=not as_json, total=None)
        report = database.tune_prefixes(
            collection,
            vectors,
            k=k,
            keep=depths,
            dims=dims,
            tolerance=tolerance,
            model=model,
            embedding=embedding,
            sample=sample,
            searches=searches,
            seed=seed,
            progress=lambda done, total, _: bars.update(bar, completed=done, total=total),
        )
    if as_json:
        output.print_json(json.dumps(report.as_json()))
        return
    depths = sorted(set(depths))
    output.print(
        table(
            ["#dims", *(f"#in {n}" for n in depths), *(f"#rotated in {n}" for n in depths), f"#top {k} reachable"],
            (_prefix_line(prefix, depths) for prefix in report.prefixes),
            title=f"Recall of the true top {k} in the best so many by a prefix: {report.searches} queries, "
            f"{report.rows:,} of {report.total:,} rows",
        )
    )
    for rotated in (False, True):
        found = {depth: report.smallest(depth, rotated=rotated) for depth in depths}
        told = ", ".join(f"{length} in {depth}" for depth, length in found.items() if length is not None)
        how = "rotated (pgsim ladder fit)" if rotated else "as they are"
        output.print(f"Smallest for a recall of {1 - tolerance:g}, {how}: {told or 'none'}.", highlight=False)
    for each in report.prefixes:
        if each.reachable is not None and each.decided is not None and each.reachable < each.decided:
            output.print(
                f"{each.dims} dimensions: of {each.decided - each.reachable} of {each.decided} queries the true top "
                f"{k} is the top {k} of no vector at all. Keep more than {k} rows, or a longer prefix.",
                highlight=False,
            )


@app.command()
def codes(
    collection: str,
    recall: Annotated[float, typer.Option(help="The share of the exact answer to be found, 0.5 to 1.")] = 0.99,
    k: Annotated[int, typer.Option("-k", help="How many rows a search is for.")] = 10,
    filters: Annotated[
        list[str] | None,
        typer.Option("--filter", help='What searches filter by, as JSON, several times: {"section": "games"}.'),
    ] = None,
    model: Model = None,
    embedding: str = "default",
    queries: Queries = None,
    sample: Sample = 100_000,
    searches: Searches = 20,
    seed: Seed = 0,
    as_json: Json = False,
    apply: Annotated[
        bool, typer.Option("--apply", help="Make codes of the kind that is chosen in place of those there are.")
    ] = False,
    dsn: Dsn = None,
) -> None:
    """Try each kind of codes on a copy of some rows, by your filters, and show what each costs and finds."""
    vectors = read_vectors(queries)
    given = None if filters is None else [_read_filter(each) for each in filters]
    with opened(dsn) as database:
        with output.status(f"Trying codes of {escape(collection)} ..."):
            report = database.tune_codes(
                collection,
                vectors,
                filters=given,
                recall=recall,
                k=k,
                model=model,
                embedding=embedding,
                sample=sample,
                searches=searches,
                seed=seed,
            )
        if as_json:
            output.print_json(json.dumps(report.as_json()))
        else:
            _show_codes(report)
        if apply and report.best is not None and not report.is_best:
            _apply_codes(database, report, report.best, seed)


def _show_codes(report: CodesReport) -> None:
    output.print(
        table(
            ["codes", "#size", "#build", "#ms", f"#recall@{report.k}", "95% interval", "note"],
            (
                [
                    each.name,
                    show_bytes(each.bytes),
                    f"{each.build_seconds:.1f} s",
                    "" if each.seconds is None else f"{1e3 * each.seconds:.2f}",
                    *(("", "") if each.recall is None else _cells(each.recall)),
                    each.refusal or ("" if each.recall and each.recall.value >= report.asked else "misses the recall"),
                ]
                for each in report.kinds
            ),
            title=f"{report.queries} queries by each of {len(report.filters)} filters, "
            f"measured on {report.rows:,} of {report.total:,} rows",
        )
    )
    output.print(f"Filters: {', '.join(escape(json.dumps(each)) for each in report.filters)}.", highlight=False)
    output.print(f"Ranking every match: {1e3 * report.exact_seconds:.2f} ms.", highlight=False)
    if report.best is None:
        output.print(f"No kind reaches a recall of {report.asked:g}.", highlight=False)
    else:
        there = "; the codes that are there are of that kind" if report.is_best else ""
        output.print(f"Chosen: {report.best.name}, the fastest that finds what is asked{there}.", highlight=False)


def _apply_codes(database: Database, report: CodesReport, best: CodeKind, seed: int) -> None:
    collection, model, embedding = report.collection, report.model, report.embedding
    with translated(), database.connection() as connection, output.status(f"Making codes, {best.name} ..."):
        options: dict[str, object] = {}
        base = f"{model}-codes"
        names = [str(name) for (name,) in connection.execute("SELECT name FROM pgsim.maps").fetchall()]
        if best.rotated:
            name = base
            while name in names:
                name += "'"
            options = {"map": database.fit_codes_map(collection, name, model=model, embedding=embedding, seed=seed)}
        try:
            made = create_index_concurrently(
                connection,
                collection,
                model,
                embedding=embedding,
                dims=best.dims,
                element=best.element,
                method="codes",
                options=options,
                replace=True,
            )
        finally:
            # Rotations that earlier codes were made with, or that this one was to be; what is in use is not dropped.
            for name in () if connection.closed else {*names, *map(str, options.values())}:
                if name.rstrip("'") == base:
                    with suppress(InUse):
                        database.drop_map(name)
    database.calibrate(collection, model=model, embedding=embedding)
    output.print(f"{escape(made)} is made; calibrated.", highlight=False)


def _read_filter(text: str) -> dict[str, object]:
    try:
        read = json.loads(text)
    except ValueError as error:
        raise InvalidArgument(f"--filter {text!r} is no JSON: {error}", hint='{"section": "games"}') from None
    if not isinstance(read, dict):
        raise InvalidArgument(f"--filter {text!r} is not a JSON object", hint='{"section": "games"}')
    return read


@contextmanager
def trial_bar(collection: str, *, quiet: bool = False) -> Iterator[Callable[[int, int, str], None]]:
    """A progress bar for `Database.tune_index`, which says what is tried now."""
    with progress() as bars:
        bar = bars.add_task(f"Trying {escape(collection)}", visible=not quiet, total=None)
        yield lambda done, total, name: bars.update(
            bar, completed=done, total=total, description=escape(name or f"Tried {collection}")
        )


def show_trials(report: TuningReport) -> None:
    """A line for each index, at its best setting."""
    labelled = report.exact_quality is not None
    output.print(
        table(
            ["index", "#size", "#build", "#ms", f"#recall@{report.k}", "95% interval", "#ef", "#kept"]
            + ([f"#MRR@{report.k}"] if labelled else [])
            + ["", "note"],
            (_trial_line(trial, report, labelled=labelled) for trial in report.settings),
            title=f"{report.searches} {'rows held out' if report.held_out else 'queries'}, "
            f"measured on {report.rows:,} of {report.total:,} rows",
        )
    )
    told = f"Exact searches of the copy: {1e3 * report.exact_seconds:.2f} ms"
    if labelled:
        told += f", MRR@{report.k} {report.exact_quality:.4f}"
    output.print(f"{told}. * none smaller is faster.", highlight=False)
    if report.halfvec_recall is not None:
        output.print(
            f"Whole vectors stored as halfvec: {show_bytes((8 + 2 * report.dim) * report.total)} in place of "
            f"{show_bytes((8 + 4 * report.dim) * report.total)}, exact searches find {report.halfvec_recall:.4f}.",
            highlight=False,
        )
    if report.rows < 0.95 * report.total:
        output.print(
            f"Size and build time are scaled to {report.total:,} rows, built by one process. Recall and time are those "
            f"of {report.rows:,}: among more rows an index finds less at the same settings.",
            highlight=False,
        )
    if report.missing:
        output.print(f"{report.missing} of the labelled keys are not in the table.", highlight=False)
    if report.untried:
        output.print(f"Not tried, for want of time: {'; '.join(report.untried)}.", highlight=False)


def _trial_line(trial: Trial, report: TuningReport, *, labelled: bool) -> list[object]:
    notes = []
    if trial.existing:
        notes.append(f"is there: {trial.existing}")
    elif trial.refusal:
        notes.append(f"cannot be built: {trial.refusal}")
    elif trial.rotated:
        notes.append("with a rotated copy of the vectors")
    if not trial.reaches(report.asked):
        notes.append("misses the recall")
    return [
        trial.name,
        show_bytes(trial.total_bytes),
        f"{trial.total_build_seconds:.1f} s",
        f"{1e3 * trial.seconds:.2f}",
        f"{trial.recall.value:.4f}",
        f"{trial.recall.low:.4f} to {trial.recall.high:.4f}",
        trial.ef,
        trial.keep,
        *([f"{trial.quality:.4f}"] if labelled and trial.quality is not None else []),
        "*" if trial in report.front else "",
        "; ".join(notes),
    ]


def _chosen(report: TuningReport) -> str:
    if report.best is None:
        return f"None that can be built, and fits the budget, reaches a recall of {report.asked:g}."
    told = (
        f"Chosen: {report.best.name}, the smallest of those that take little longer than the fastest "
        f"({1e3 * report.best.seconds:.2f} ms, {show_bytes(report.best.total_bytes)})."
    )
    if report.best.rotated:
        copied = show_bytes((8 + 4 * report.dim) * report.total)
        told += f" Beside the index it takes a rotated copy of the vectors, {copied}."
    return told


def _prefix_line(prefix: Prefix, keep: list[int]) -> list[object]:
    return [
        prefix.dims,
        *(f"{prefix.recall[depth]:.3f}" for depth in keep),
        *(f"{prefix.rotated[depth]:.3f}" if prefix.rotated else "" for depth in keep),
        "" if prefix.reachable is None else f"{prefix.reachable} of {prefix.decided}",
    ]


def _require_owner(database: Database, collection: str, model: str | None, embedding: str) -> None:
    """Say that the role may not build an index before it has waited for the measurement."""
    with translated(), database.connection() as connection:
        connection.execute(
            "SELECT pgsim._require_registrar(), pgsim._require_owner(t.version) FROM pgsim._target(%s, %s, %s) AS t",
            [collection, model, embedding],
        )


def _apply(database: Database, report: TuningReport, best: Trial, vectors: NDArray[np.float32] | None) -> None:
    collection, model, embedding = report.collection, report.model, report.embedding
    built = best.existing is None
    if best.rotated:
        model, name, built = index_rotated(database, report, best)
    elif best.existing is not None:
        name = best.existing
    else:
        with database.connection() as connection, output.status(f"Building {best.name} ..."):
            dims = None if best.dims == report.dim else best.dims
            name = create_index_concurrently(
                connection, collection, model, embedding=embedding, dims=dims, element=best.element
            )
    with output.status("Calibrating ..."):
        database.calibrate(collection, vectors, model=model, embedding=embedding)
    with output.status("Searching ..."):
        got = database.recall(collection, vectors, recall=report.asked, k=report.k, model=model, embedding=embedding)
    output.print(f"{escape(name)} {'is built' if built else 'was there'}; calibrated.", highlight=False)
    if got.mean_recall is not None and got.seconds is not None:
        by = ", ".join(f"{strategy} {times}" for strategy, times in sorted(got.strategies.items()))
        output.print(
            f"Searches of all rows at recall {report.asked:g} find {got.mean_recall:.4f} in {1e3 * got.seconds:.2f} ms "
            f"({by}).",
            highlight=False,
        )
    if best.rotated:
        say_what_is_next(collection, embedding, model, report.model, (best.dims, report.dim))


def _read_labels(path: Path, vectors: NDArray[np.float32] | None) -> list[list[str]]:
    hint = "A header query,key; then lines such as 0,17: the row with key 17 answers the first vector of --queries."
    if vectors is None:
        raise InvalidArgument("--labels is given without --queries", hint=hint)
    relevant: list[list[str]] = [[] for _ in vectors]
    try:
        with path.open(encoding="utf-8", newline="") as file:
            for line in csv.DictReader(file):
                number = int(line["query"])
                if not 0 <= number < len(relevant) or not line["key"]:
                    raise InvalidArgument(
                        f"--labels names query {number}; there are {len(relevant)}, counted from 0", hint=hint
                    )
                relevant[number].append(line["key"])
    except (OSError, ValueError, KeyError, TypeError, csv.Error) as error:
        raise InvalidArgument(f"--labels {str(path)!r} cannot be read: {error!r}", hint=hint) from None
    return relevant


@app.command()
def fusion(
    collection: str,
    queries: Annotated[
        Path | None,
        typer.Option(
            help='Queries with their answers, a JSON object a line: {"query": "red boat", "relevant": [17]}. '
            'One may have vectors of its own: "legs": {"sparse": {"sparse_query": "{1013:1}/30522"}}.'
        ),
    ] = None,
    column: Annotated[
        str | None,
        typer.Option(help="Or a column whose texts are the queries, a title: each is answered by its own row."),
    ] = None,
    name: Annotated[str, typer.Option(help="What searches will call it: fusion => NAME.")] = "tuned",
    sample: Annotated[int, typer.Option(help="How many texts of the column.")] = 1000,
    k: Annotated[int, typer.Option("-k", help="The first relevant row counts when it is among so many.")] = 10,
    candidates: Annotated[int, typer.Option(help="Rows that each leg gives.")] = 200,
    text_form: Annotated[str, typer.Option(help="How the words are read.")] = "any",
    leg: Annotated[
        list[str] | None,
        typer.Option(
            help="A leg to fit, several times: dense, text, the name of an embedding, or NAME=JSON: "
            '\'phrase={"text_form": "phrase"}\'. By default dense and text.'
        ),
    ] = None,
    embedder_of_model: Annotated[
        list[str] | None,
        typer.Option(
            "--embedder-of", help="MODEL=module:object, what makes the queries' vectors of another leg's model."
        ),
    ] = None,
    seed: Annotated[int, typer.Option(help="The same one takes the same queries.")] = 0,
    model: Annotated[str | None, typer.Option(help="By default the active version's.")] = None,
    embedding: str = "default",
    embedder: EmbedderSpec = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Report, and keep nothing.")] = False,
    dsn: Dsn = None,
) -> None:
    """Fit how legs (vectors, words, sparse vectors) are put together; where no fusion beats the best leg, keep that."""
    if (queries is None) == (column is None):
        raise InvalidArgument(
            "neither --queries nor --column is given, or both are",
            hint="Give a file of queries with their answers, or a column whose texts are queries of their own rows.",
        )
    with opened(dsn) as database, progress() as bars:
        legs = dict(map(_leg, leg or ["dense", "text"]))
        asked = (
            _read(queries) if queries else database.sample_queries(collection, str(column), sample=sample, seed=seed)
        )
        fitted = database.named_legs(collection, legs, model, embedding, text_form)
        named = _specs(embedder_of_model)
        # What a query brings nobody has to make; sparse vectors have no embedder of pgsim's own.
        wanting = [each for each in fitted if each.model and not all(each.name in query.legs for query in asked)]
        chosen = {
            of: embedder_of(database, named.get(of, embedder if kind == "dense" else None), of)
            for of, kind in {(each.model, each.kind) for each in wanting}
        }
        bar = bars.add_task(f"Searching {escape(collection)}", total=len(asked))
        report = database.tune_fusion(
            collection,
            asked,
            name=None if dry_run else name,
            model=model,
            embedding=embedding,
            text_form=text_form,
            legs=legs,
            embedders=chosen,
            k=k,
            candidates=candidates,
            seed=seed,
            progress=lambda done, total: bars.update(bar, completed=done, total=total),
        )
    _show(report, None if dry_run else name)
    if column is not None:
        output.print(
            f"Queries were texts of the column {escape(column)}. Where a leg reads that very column, it finds them too "
            "easily: trust queries of your users more.",
            highlight=False,
        )


def _show(report: FusionReport, name: str | None) -> None:
    fitted = ", ".join(f"{leg} {weight:g}" for leg, weight in report.fitted.weights.items())
    constant = "" if report.fitted.rank_constant is None else f", constant {report.fitted.rank_constant:g}"
    rows: list[tuple[str, str, str]] = [(f"{leg} alone", *_cells(mean)) for leg, mean in report.legs.items()]
    rows += [
        ("fused, by default", *_cells(report.default)),
        (f"fused by {report.fitted.method} ({fitted}{constant})", *_cells(report.tuned)),
        (f"what that gains over {report.best_leg} alone", *_cells(report.gain)),
    ]
    title = f"{report.held_out} of {report.queries} queries, which nothing was fitted on"
    output.print(table(["", f"#MRR@{report.k}", "95% interval"], rows, title=title))
    if report.helps:
        kept = f"fused by {report.kept.method}"
    else:
        kept = f"{report.best_leg} alone, since fusion is not better beyond doubt"
    output.print(f"Kept as {name!r}: {kept}." if name else f"Not kept (dry run): {kept}.", highlight=False)


def _cells(mean: Mean) -> tuple[str, str]:
    return f"{mean.value:.4f}", f"{mean.low:.4f} to {mean.high:.4f}"


def _leg(given: str) -> tuple[str, dict[str, object]]:
    name, equals, properties = given.partition("=")
    try:
        told = json.loads(properties) if equals else {}
    except ValueError:
        told = None
    if not name or not isinstance(told, dict):
        raise InvalidArgument(
            f"--leg {given!r} is neither a name nor NAME=JSON",
            hint="""For instance --leg title, or --leg 'phrase={"text_form": "phrase"}'.""",
        )
    return name, told


def _specs(given: list[str] | None) -> dict[str, str]:
    specs = dict(each.rpartition("=")[::2] for each in given or ())
    if "" in specs:
        raise InvalidArgument(
            f"--embedder-of {specs['']!r} is not of the form MODEL=module:object",
            hint="For instance --embedder-of splade=encoders:splade.",
        )
    return specs


def _read(path: Path) -> list[Query]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError) as error:
        raise InvalidArgument(f"--queries {str(path)!r} cannot be read: {error}") from None
    return [_query(line, f"line {number} of {path.name}") for number, line in enumerate(lines, 1) if line.strip()]


def _query(line: str, where: str) -> Query:
    hint = 'A line is {"query": "red boat", "relevant": [17, 23]}; keys of several columns are objects.'
    try:
        given = json.loads(line)
        text, keys, legs = given["query"], given["relevant"], given.get("legs") or {}
    except (ValueError, KeyError, TypeError) as error:
        raise InvalidArgument(f"{where} has no query and relevant keys: {error!r}", hint=hint) from None
    if not isinstance(text, str) or not isinstance(keys, list) or not keys:
        raise InvalidArgument(f"{where}: query is a text, and relevant a list of one key or more", hint=hint)
    if not isinstance(legs, dict) or not all(isinstance(leg, dict) for leg in legs.values()):
        raise InvalidArgument(
            f"{where}: legs is an object of legs by their names",
            hint='Give a leg\'s own vector: "legs": {"sparse": {"sparse_query": "{1013:1}/30522"}}.',
        )
    # PostgreSQL writes a JSON object's keys by length, then by bytes.
    return Query(
        text,
        frozenset(
            json.dumps(
                dict(sorted(key.items(), key=lambda part: (len(part[0].encode()), part[0].encode()))),
                ensure_ascii=False,
            )
            if isinstance(key, dict)
            else str(key)
            for key in keys
        ),
        legs,
    )
