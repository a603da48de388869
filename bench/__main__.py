"""`make bench`: every figure, as a table and as JSON (`bench.json`, or the file that is named)."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path

from bench import browser, bulk, memory, review, webs, worker
from bench.timing import table
from webapp.run import processes

TABLES = {
    "edit": review.edit_figures,
    "page": review.page_figures,
    "visit": review.visit_figures,
    "confirm": review.confirm_figures,
    "stage": review.stage_figures,
    "api": review.api_figures,
    "browser": browser.figures,
    "memory": memory.figures,
    "bulk": bulk.figures,
    "worker": worker.figures,
    "webs": webs.figures,
}


def main() -> int:
    """The exit code: 1 where a goal was missed."""
    parser = argparse.ArgumentParser(
        prog="python -m bench", description="Muster's figures, each beside its floor."
    )
    parser.add_argument(
        "tables",
        nargs="*",
        metavar="TABLE",
        help=f"what to measure: {', '.join(TABLES)}; all by default",
    )
    parser.add_argument(
        "--json", type=Path, default=Path("bench.json"), help="where the figures are written to"
    )
    asked = parser.parse_args()
    if unknown := set(asked.tables) - set(TABLES):
        parser.error(f"there is no table {', '.join(sorted(unknown))}")
    processes.tune_gc()
    found = []
    for name in asked.tables or TABLES:
        figures = TABLES[name]()
        print(table(figures), end="\n\n", flush=True)
        found += figures
    asked.json.write_text(
        json.dumps([{**asdict(f), "ratio": f.ratio, "verdict": f.verdict} for f in found], indent=1)
    )
    return int(any(figure.verdict == "MISSED" for figure in found))


if __name__ == "__main__":
    sys.exit(main())
