"""Plot the results of the benchmark of waiting: CPU time and new connections a poll, against N."""

from __future__ import annotations

from typing import TYPE_CHECKING

from waiting_peers import CONTENDERS, POKE_INTERVAL_S

if TYPE_CHECKING:
    from pathlib import Path

    from waiting_report import Results

#: Okabe and Ito's colours, which people with any colour vision can distinguish; the markers differ too.
STYLES = {
    "bare": ("#000000", "o", "--"),
    "twinsync": ("#D55E00", "D", "-"),
    "http-sensor": ("#0072B2", "s", "-"),
    "http-event": ("#56B4E9", "^", "-"),
    "dbt-cloud": ("#009E73", "v", "-"),
    "fivetran": ("#CC79A7", "P", "-"),
    "databricks": ("#E69F00", "X", "-"),
}


def draw(results: Results, path: Path) -> None:
    """Write the picture."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12, 5), layout="constrained")
    left, right = figure.subplots(1, 2)
    counts = sorted({one["n"] for one in results.all if one["contender"] in STYLES})
    places = {n: place for place, n in enumerate(counts)}  # evenly, as 100 and 10,000 are far apart
    for one in CONTENDERS:
        if one.name not in STYLES:
            continue
        colour, marker, line = STYLES[one.name]
        known = [found for n in counts if (found := results.get(one.name, n)).get("polls")]
        if not known:
            continue
        ours = one.name == "twinsync"
        aside = 0.06 * (list(STYLES).index(one.name) - len(STYLES) // 2)  # equal values lie side by side
        for axes, values in (
            (left, [results.cpu_ms(found) for found in known]),
            (right, [found["connections"] / found["polls"] for found in known]),
        ):
            axes.plot(
                [places[found["n"]] + aside for found in known],
                values,
                label=one.label,
                color=colour,
                marker=marker,
                linestyle=line,
                linewidth=3 if ours else 1.5,
                markersize=9 if ours else 7,
                zorder=3 if ours else 2,
            )
    left.set_title("CPU time a poll, of the whole process")
    left.set_ylabel("ms of CPU (less is better)")
    right.set_title("New TCP connections a poll")
    right.set_ylabel("connections (less is better)")
    for axes in (left, right):
        axes.set_xticks(list(places.values()), [f"{n:,}" for n in counts])
        axes.set_xlabel(f"waiting triggers, each asking every {POKE_INTERVAL_S:g} s")
        axes.grid(visible=True, alpha=0.3)
        axes.spines[["top", "right"]].set_visible(False)
    left.set_yscale("log")
    low, high = left.get_ylim()
    left.set_yticks([tick for tick in (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100) if low < tick < high])
    left.minorticks_off()
    left.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
    right.set_ylim(-0.05, 1.1)
    handles, labels = left.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=4, frameon=False)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=120)
