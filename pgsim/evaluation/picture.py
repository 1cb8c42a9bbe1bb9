"""A picture of what tuning found: size against time, and which indexes are on the front."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pgsim.errors import InvalidArgument, MissingExtra

if TYPE_CHECKING:
    from pathlib import Path

    from matplotlib.axes import Axes

    from pgsim.evaluation.trials import Trial, TuningReport

FORMATS = (".svg", ".png", ".pdf")
_MARKERS = {"vector": "s", "halfvec": "o", "bit": "^"}
_TICKS = (1, 2, 5)


def check_picture(path: Path) -> None:
    """Raise what `draw` would raise of a file name, before anything is measured.

    Raises:
        MissingExtra: matplotlib is not installed.
        InvalidArgument: the name has no ending of a format that is drawn, or its folder is not there.
    """
    if path.suffix.lower() not in FORMATS:
        raise InvalidArgument(
            f"a picture cannot be written to {str(path)!r}: its name ends in {', '.join(FORMATS)}",
            hint="For instance --plot tuning.svg.",
        )
    if not path.absolute().parent.is_dir():
        raise InvalidArgument(f"there is no folder {str(path.absolute().parent)!r}", hint="Make it, or name another.")
    try:
        import matplotlib  # noqa: F401, PLC0415 - an extra
    except ModuleNotFoundError as error:
        raise MissingExtra(
            "a picture needs matplotlib, which is not installed", detail=str(error), hint="pip install 'pgsim[plot]'"
        ) from error


def draw(report: TuningReport, path: Path) -> None:
    """Draw bytes against milliseconds, an index a mark; the front is a line. It needs no colours to be read.

    Args:
        report: what `Database.tune_index` gave.
        path: a file ending in .svg, .png or .pdf, which is overwritten.

    Raises:
        MissingExtra: matplotlib is not installed.
        InvalidArgument: the name has no such ending, or it cannot be written.
    """
    check_picture(path)
    from matplotlib import rc_context  # noqa: PLC0415 - an extra
    from matplotlib.figure import Figure  # noqa: PLC0415

    with rc_context({"svg.hashsalt": "pgsim", "svg.fonttype": "none"}):
        figure = Figure(figsize=(8, 5), layout="constrained")
        axes = figure.add_subplot()
        axes.set(xscale="log", yscale="log")
        if report.front:
            axes.plot(
                [_megabytes(trial) for trial in report.front],
                [1e3 * trial.seconds for trial in report.front],
                color="black",
                linewidth=1,
                zorder=1,
            )
        for trial in report.settings:
            _mark(axes, trial, report)
        _legend(axes, report)
        _ticks(axes, report)
        axes.set(
            xlabel="MB of the index on all rows",
            ylabel="milliseconds, median",
        )
        axes.set_title(
            f"{report.collection}, {report.model}: {report.dim} dimensions, "
            f"{report.rows:,} of {report.total:,} rows, recall {report.asked:g} of the best {report.k}",
            fontsize=11,
            parse_math=False,
        )
        axes.grid(visible=True, color="#dddddd", linewidth=0.6)
        axes.spines[["top", "right"]].set_visible(False)
        try:
            figure.savefig(path, dpi=150, metadata={"Date": None} if path.suffix.lower() == ".svg" else None)
        except OSError as error:
            raise InvalidArgument(f"{str(path)!r} cannot be written: {error}", hint="Name another file.") from error


def _mark(axes: Axes, trial: Trial, report: TuningReport) -> None:
    reaches = trial.reaches(report.asked)
    at = _megabytes(trial), 1e3 * trial.seconds
    fill = "white" if not reaches else "#aaaaaa" if trial.rotated else "black"
    axes.plot(
        *at,
        _MARKERS[trial.element],
        markerfacecolor=fill,
        markeredgecolor="black",
        markersize=7,
        clip_on=False,
        zorder=2,
    )
    if trial == report.best:
        axes.plot(*at, "o", markerfacecolor="none", markeredgecolor="black", markersize=14, zorder=2)
    label = f"{trial.dims}r" if trial.rotated else f"{trial.dims}"
    # Bits of several lengths are about as large as each other.
    before = trial.rotated and not reaches
    axes.annotate(
        label if reaches else f"{label} ({trial.recall.value:.2f})".replace("(0.", "(."),
        at,
        xytext=(-9 if before else 9, 0),
        horizontalalignment="right" if before else "left",
        textcoords="offset points",
        fontsize=8,
        verticalalignment="center",
        color="black" if reaches else "#555555",
    )


def _legend(axes: Axes, report: TuningReport) -> None:
    # A name that begins with an underscore is none to matplotlib.
    for element in dict.fromkeys(trial.element for trial in report.settings):
        axes.plot([], [], _MARKERS[element], color="black", markersize=7, label=element)
    if any(trial.rotated for trial in report.settings):
        axes.plot([], [], "o", markerfacecolor="#aaaaaa", markeredgecolor="black", markersize=7, label="rotated (r)")
    if not all(trial.reaches(report.asked) for trial in report.settings):
        axes.plot(
            [], [], "o", markerfacecolor="white", markeredgecolor="black", markersize=7, label="misses the recall (got)"
        )
    if report.front:
        axes.plot([], [], color="black", linewidth=1, label="none smaller is faster")
    if report.best:
        axes.plot([], [], "o", markerfacecolor="none", markeredgecolor="black", markersize=14, label="chosen")
    if report.settings:
        axes.legend(frameon=False, fontsize=8, labelspacing=0.8)


def _ticks(axes: Axes, report: TuningReport) -> None:
    axes.minorticks_off()
    marks = [part * 10.0**power for power in range(-4, 7) for part in _TICKS]
    if not report.settings:
        return
    for values, setting in (
        ([_megabytes(trial) for trial in report.settings], axes.set_xticks),
        ([1e3 * trial.seconds for trial in report.settings], axes.set_yticks),
    ):
        inside = [mark for mark in marks if min(values) / 2.2 <= mark <= 2.2 * max(values)]
        setting(inside, [f"{mark:g}" for mark in inside])


def _megabytes(trial: Trial) -> float:
    return trial.total_bytes / 2**20
