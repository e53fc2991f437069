"""Everything that the page shows, as variables of its template."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from analysis.claims.catalogue import concerning, judge_all
from analysis.claims.evidence import Evidence
from analysis.claims.verdict import Outcome
from analysis.instability.definition import INSTABILITY
from analysis.report.figure_sections import answers, figure_sections, not_started
from analysis.report.run_details import SETTINGS, Run, read_runs
from analysis.report.summary import PROCEDURES, scheme_results, sentences
from analysis.report.table2 import MODELS, counted
from analysis.results import STATES
from analysis.speed.table4 import by_architecture
from charrnn.data.corpora.for_figures import stands_for
from charrnn.sweeps.grids import grids_below

CORPUS = ("name", "origin", "licence", "source_sha256", "tokens", "unique", "sha256")
ORIGIN = ("git_commit", "python", "packages", "machine")
"""What the page shows of a run's provenance, see charrnn.runs.provenance."""


def content(evidence: Evidence, folder: Path) -> dict[str, Any]:
    """The variables of the template.

    Args:
        evidence: all results at one scale.
        folder: folder of all runs.
    """
    verdicts = judge_all(evidence)
    figures = list(figure_sections(evidence, folder))
    runs, schemes = read_runs(evidence, folder), scheme_results(evidence)
    return {
        "scale": evidence.scale,
        "written": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "sentences": [*answers(figures), *sentences(evidence, verdicts, schemes)],
        "schemes": schemes,
        "verdicts": verdicts,
        "outcomes": list(Outcome),
        "instability": INSTABILITY,
        "figures": figures,
        "not_started": not_started(evidence),
        "table4": _table4(evidence),
        "models": MODELS,
        "counted": counted(),
        "concerning": {scheme: concerning(scheme, verdicts) for scheme in PROCEDURES},
        "grids": list(_grids(folder, evidence)),
        "runs": runs,
        "settings": SETTINGS,
        "samples": _samples(evidence, runs),
        "corpora": _corpora(runs),
        "origins": _origins(runs),
    }


def _table4(evidence: Evidence) -> dict[str, Any] | None:
    """Table 4: names of the architectures, rows of cells, and what was measured where."""
    table = evidence.table4
    if table is None:
        return None
    columns, rows = by_architecture(table)
    return {"columns": columns, "rows": rows, "of": table.iloc[0].to_dict()}


def _grids(folder: Path, evidence: Evidence) -> Iterable[dict[str, Any]]:
    """The number of cells in each state per grid; only the total for grids of other scales."""
    for path, cells in grids_below(folder).items():
        sweep, _, scale = path.stem.rpartition("-")
        known = evidence.sweeps.get(sweep) if scale == evidence.scale else None
        counts = {} if known is None else known.cells["state"].value_counts().to_dict()
        yield {
            "name": sweep,
            "scale": scale,
            "cells": len(cells),
            "states": {state: counts[state] for state in ("finished", *STATES) if state in counts},
            "known": known is not None,
        }


def _samples(evidence: Evidence, runs: Sequence[Run]) -> dict[str, list[dict[str, Any]]]:
    """For each corpus one text per scheme, from the first cell that has one, first in Figure 9."""
    texts = {run.name: run.samples for run in runs}
    samples: dict[str, dict[Any, dict[str, Any]]] = {}
    for name in sorted(evidence.sweeps, key=lambda name: (name != "fig9", "fig" not in name, name)):
        for cell in evidence.sweeps[name].cells.to_dict("records"):
            text = texts.get(cell["run"], {}).get(cell["procedure"])
            if text:
                sample = {column: cell[column] for column in ("scheme", *SETTINGS, "k2", "run")}
                of_corpus = samples.setdefault(cell["corpus"], {})
                of_corpus.setdefault(cell["scheme"], sample | {"text": text})
    return {
        corpus: [group[scheme] for scheme in sorted(group, key=str)]
        for corpus, group in samples.items()
    }


def _corpora(runs: Sequence[Run]) -> list[dict[str, Any]]:
    """Each corpus that the runs have recorded, with the names of its runs."""
    found = _each_once(runs, lambda run: run.provenance.get("corpus"), CORPUS)
    return [{**corpus, "stands_for": stands_for(corpus["name"])} for corpus in found]


def _origins(runs: Sequence[Run]) -> list[dict[str, Any]]:
    """Each combination of machine and versions, with the names of the runs that it trained."""
    found = _each_once(runs, lambda run: run.provenance, ORIGIN)
    return [origin for origin in found if isinstance(origin["machine"], dict)]


def _each_once(
    runs: Sequence[Run], recorded: Callable[[Run], Any], fields: Sequence[str]
) -> list[dict[str, Any]]:
    """The distinct values of the fields in the runs' records, each with the names of its runs.

    A run that has not started has no record, and a record edited by hand may lack fields.
    """
    found: dict[str, dict[str, Any]] = {}
    for run in runs:
        record = recorded(run)
        if isinstance(record, dict) and record.keys() >= set(fields):
            known = {name: record[name] for name in fields}
            key = json.dumps(known, sort_keys=True)
            found.setdefault(key, {**known, "runs": []})["runs"].append(run.name)
    return list(found.values())
