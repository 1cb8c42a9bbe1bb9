"""``pgsim backfill``: workers that fill a version, and what is asked and told of them."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Annotated

import psycopg
import typer
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn

from pgsim import calls
from pgsim.cli.connection import Dsn, opened
from pgsim.cli.screen import output
from pgsim.cli.work import EmbedderSpec, embedder_spec
from pgsim.database import Database
from pgsim.embedders import load_embedder
from pgsim.errors import InvalidArgument, PgsimError
from pgsim.versions.backfill import Index
from pgsim.versions.backfill import backfill as fill
from pgsim.versions.worker import Tally, WorkerOptions, read_budget, read_rate

if TYPE_CHECKING:
    from pgsim.calls import Backfill


def backfill(
    collection: str,
    model: Annotated[str | None, typer.Option(help="By default the active version's.")] = None,
    embedder: EmbedderSpec = None,
    embedding: str = "default",
    workers: Annotated[int, typer.Option(help="Workers on this machine, in threads.", min=1, max=256)] = 1,
    batch_rows: Annotated[int, typer.Option(help="Rows taken and stored together.")] = 256,
    batch_tokens: Annotated[int | None, typer.Option(help="Tokens in one call of the embedder.")] = None,
    rate: Annotated[
        str | None, typer.Option(help="calls=5 or rows=200 a second, of all workers together; 'none' lifts it.")
    ] = None,
    budget: Annotated[
        str | None, typer.Option(help="calls=1000,tokens=2000000,money=5 a day (UTC), of all; 'none' lifts it.")
    ] = None,
    price: Annotated[float | None, typer.Option(help="Of 1000 tokens, in the budget's money.")] = None,
    order: Annotated[
        str | None, typer.Option(help="recency, hot (found most often), or SQL over the table: 'published DESC'.")
    ] = None,
    index: Annotated[Index, typer.Option(help="Built when the rows are in, or before and kept live.")] = Index.END,
    once: Annotated[bool, typer.Option("--once/--follow", help="End when nothing waits, or wait for changes.")] = True,
    timeout: Annotated[float | None, typer.Option(help="Seconds for one call of the embedder.")] = None,
    retries: Annotated[int, typer.Option(help="How often a call that failed is tried again.")] = 5,
    retry_poison: Annotated[bool, typer.Option("--retry-poison", help="Try rows again that were set aside.")] = False,
    pause: Annotated[str | None, typer.Option(metavar="REASON", help="Hold all workers, wherever they run.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Let them go on.")] = False,
    status: Annotated[bool, typer.Option("--status", help="Tell how far it is.")] = False,
    dsn: Dsn = None,
) -> None:
    """Embed the rows of a version that have no vector, with any number of workers on any number of machines."""
    if (pause is not None) + resume + status > 1:
        raise InvalidArgument(
            "--pause, --resume and --status do something else each", hint="Give one of them, or none to work."
        )
    if retry_poison and (pause is not None or resume or status):
        raise InvalidArgument(
            "--retry-poison is for workers, and with --pause, --resume or --status none works",
            hint="Give it to the run that is to try the rows again, or call pgsim.retry_poison.",
        )
    with opened(dsn) as database:
        of = database._run(calls.embedded_model(collection, model=model, embedding=embedding)).name
        _limit(database, collection, of, embedding, rate=rate, budget=budget, price=price)
        if pause is not None:
            database.pause_backfill(collection, of, embedding=embedding, reason=pause or None)
        elif resume:
            database.resume_backfill(collection, of, embedding=embedding)
        if pause is not None or resume or status:
            output.print(_told(database.backfill_progress(collection, of, embedding=embedding)), highlight=False)
            return
        spec = embedder_spec(database, embedder, of)
        if retry_poison:
            database.retry_poison(collection, of, embedding=embedding)
        options = WorkerOptions(
            batch_rows=batch_rows, batch_tokens=batch_tokens, retries=retries, follow=not once,
            lease=max(900.0, 2 * (timeout or 0)),
        )  # fmt: skip
        with database.connection() as connection:
            # Without a DSN it is the embedded server's, which has no password to be left out.
            whole = dsn or connection.info.dsn
        with _Bar(whole, collection, of, embedding):
            tally = fill(
                whole,
                collection,
                lambda: load_embedder(spec),
                model=of,
                embedding=embedding,
                workers=workers,
                order_by=order,
                index=index,
                timeout=timeout,
                options=options,
            )
    _report(tally, of)


def _limit(
    database: Database,
    collection: str,
    model: str,
    embedding: str,
    *,
    rate: str | None,
    budget: str | None,
    price: float | None,
) -> None:
    """Set the limits that are named; the others stay as they are."""
    if rate is None and budget is None and price is None:
        return
    told = database.backfill_progress(collection, model, embedding=embedding)
    rates = {} if rate == "none" else read_rate(rate)
    amounts = {} if budget == "none" else read_budget(budget)
    database.limit_backfill(
        collection,
        model,
        embedding=embedding,
        calls_a_second=told.calls_a_second if rate is None else rates.get("calls"),
        rows_a_second=told.rows_a_second if rate is None else rates.get("rows"),
        calls_a_day=told.calls_a_day if budget is None else _whole("calls", amounts.get("calls")),
        tokens_a_day=told.tokens_a_day if budget is None else _whole("tokens", amounts.get("tokens")),
        money_a_day=told.money_a_day if budget is None else amounts.get("money"),
        price=told.price if price is None else price,
    )


def _whole(name: str, number: float | None) -> int | None:
    if number is None:
        return None
    if number != int(number):
        raise InvalidArgument(f"{name}={number:g} is no budget; {name} are whole numbers", hint="Give 1 or more a day.")
    return int(number)


def _report(tally: Tally, model: str) -> None:
    output.print(f"{tally.stored} rows embedded with {escape(model)}, in {tally.calls} calls.", highlight=False)
    if tally.set_aside:
        output.print(
            f"{tally.set_aside} rows were set aside, as pgsim.poison_rows shows; the last: "
            f"{escape(str(tally.last_error))}",
            highlight=False,
        )
    if tally.stopped == "paused":
        output.print("The backfill is paused: --resume lets it go on.")
    if tally.stopped == "spent":
        output.print("The day's budget is used up; days begin at midnight UTC.")
    if tally.set_aside or tally.stopped != "empty":
        raise typer.Exit(1)


def _told(told: Backfill) -> str:
    parts = [f"{told.done} rows done", f"{told.pending} waiting", f"{told.taken} with {told.workers} workers"]
    if told.poison:
        parts.append(f"{told.poison} set aside")
    if told.rate and told.workers:
        parts.append(f"{told.rate:.0f} rows/s")
    if told.eta is not None and told.workers:
        parts.append(f"{str(told.eta).partition('.')[0]} left")
    for spent, limit, name in (
        (told.calls_today, told.calls_a_day, "calls"),
        (told.tokens_today, told.tokens_a_day, "tokens"),
        (told.money_today, told.money_a_day, "money"),
    ):
        if limit is not None:
            parts.append(f"{spent:g} of {limit:g} {name} today")
    if told.paused_at is not None:
        parts.append(f"paused by {told.paused_by}" + (f": {told.reason}" if told.reason else ""))
    return escape(", ".join(parts))


class _Bar:
    """A bar of the whole backfill, whoever works on it, for as long as the block lasts."""

    def __init__(self, dsn: str, collection: str, model: str, embedding: str) -> None:
        self._names = collection, model, embedding
        self._dsn = dsn
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=32),
            TextColumn("{task.fields[told]}"),
            console=output,
            transient=True,
        )

    def __enter__(self) -> _Bar:
        self._progress.start()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join(5)
        self._progress.stop()

    def _watch(self) -> None:
        collection, model, embedding = self._names
        bar = self._progress.add_task(f"Embedding {escape(collection)}", total=None, told="")
        try:
            with Database(self._dsn) as database:
                while not self._over.wait(1):
                    told = database.backfill_progress(collection, model, embedding=embedding)
                    left = told.pending + told.taken
                    self._progress.update(bar, completed=told.done, total=told.done + left, told=_told(told))
        except (PgsimError, psycopg.Error) as error:  # The bar is not worth the work: workers say what is wrong.
            self._progress.update(bar, told=escape(str(error).splitlines()[0]))
