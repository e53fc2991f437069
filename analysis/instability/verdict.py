"""The verdict in words: what the forget bias, carrying and each switch do, and where."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import pandas as pd

from analysis.instability.effects import AUTHORS_BIAS, MEASURES, effects, places
from analysis.instability.paired import Answer
from analysis.instability.words import at, basis, counted, effect, many, place_words, span

UNITS = (
    "All numbers are natural logarithms of ratios of perplexities: 0.10 is about 10 %. Intervals"
    " are Student's, at 95 %, over the means of replicates; `open` means that one reaches both"
    " sides of 0, `little changed` that it lies within the threshold of instability around 0. The"
    " p of shares is that of McNemar's exact test, which takes pairs of one replicate as"
    " independent."
)
TOLD = {
    "bias": "Forget bias 5 instead of 0",
    "carrying": f"Scheme 4, which carries, instead of 3, at forget bias {AUTHORS_BIAS:g}",
}


def verdict(carry: pd.DataFrame, suspects: pd.DataFrame) -> list[str]:
    """What the finished cells say, the reading gap first; then all measurements.

    The first line says in which direction the measures move, and where. Each of the others says of
    one comparison, or of one group of cells, what was measured.

    Args:
        carry: cells that compare forget biases, see analysis.instability.summary.tables.
        suspects: cells that try switches, the same.
    """
    known = effects(carry, suspects)
    if carry.empty and suspects.empty:
        return ["Nothing can be said: no cell is finished."]
    lines = [_answer(known), UNITS, *_gaps(carry)]
    for _, rows in known.groupby(["change", "one"], sort=False) if len(known) else ():
        lines += _effect(rows)
    return [*lines, *_rises(carry), *_rises(suspects), _restarts(carry, suspects), *_states(carry)]


def _answer(known: pd.DataFrame) -> str:
    """In which direction the gap and the rise move, by place."""
    if known.empty:
        return "Nothing can be compared: no two finished cells differ in one thing only."
    sentences = []
    for change, at_value in (("bias", known["other"] == 0), ("carrying", _at_authors_bias(known))):
        rows = known[(known["change"] == change) & at_value]
        told = [_directions(rows[rows["measure"] == name], name) for name in MEASURES]
        if len(rows) and (rows["answer"] == Answer.FEW.value).all():
            told = ["too few replicates for an interval, so no direction is told"]
        if len(rows):
            sentences.append(f"{TOLD[change]}: {'; '.join(one for one in told if one)}.")
    if not sentences:
        return "Forget bias 5 and 0, and schemes 4 and 3, cannot be compared yet."
    sizes = ", ".join(f"gamma {g} and {b} batches" for g, b in _sizes(known))
    return f"{' '.join(sentences)} All this at {sizes}."


def _at_authors_bias(known: pd.DataFrame) -> pd.Series:
    return known["within"] == AUTHORS_BIAS


def _directions(rows: pd.DataFrame, measure: str) -> str:
    """`reading gap raised on chorales (scheme 3), open on linux61 (schemes 3, 4)`."""
    told = []
    for answer in Answer:
        chosen = rows[rows["answer"] == answer.value]
        if len(chosen):
            told.append(f"{answer} on {_where(chosen)}")
    return f"{MEASURES[measure]} {', '.join(told)}" if told else ""


def _where(rows: pd.DataFrame) -> str:
    corpora = [str(corpus) for corpus in rows["corpus"].drop_duplicates()]
    if rows["change"].iloc[0] == "carrying":
        return ", ".join(corpora)
    told = []
    for corpus in corpora:
        schemes = list(dict.fromkeys(rows.loc[rows["corpus"] == corpus, "within"]))
        noun = "scheme" if len(schemes) == 1 else "schemes"
        told.append(f"{corpus} ({noun} {', '.join(map(str, schemes))})")
    return ", ".join(told)


def _sizes(known: pd.DataFrame) -> list[tuple[Any, Any]]:
    return list(dict.fromkeys(zip(known["hidden_size"], known["num_batches"], strict=True)))


def _effect(rows: pd.DataFrame) -> Iterator[str]:
    """One sentence for a change in one place: all three measures, and the shares at the end."""
    names = ["corpus", "scale", "hidden_size", "num_batches", "settings", "other", "within"]
    for _, own in rows.groupby(names, sort=False, dropna=False):
        row = own.iloc[0]
        told = ", ".join(effect(one) for _, one in own.iterrows())
        place = place_words(row, row["k1"], row["seeds"])
        yield f"{place}, {_change(row)}: {told}; {basis(row)}{_shares(row)}."


def _change(row: pd.Series) -> str:
    one, other, within = row["one"], row["other"], row["within"]
    if row["change"] == "bias":
        return f"scheme {within}, forget bias {one:g} instead of {other:g}"
    if row["change"] == "carrying":
        return f"forget bias {within:g}, scheme 4 instead of 3"
    return f"scheme {within}, {one} instead of no switch"


def _shares(row: pd.Series) -> str:
    if not row["only_one"] + row["only_other"]:
        return ""
    return (
        f"; unstable only with the change in {row['only_one']} of them, only without it in"
        f" {row['only_other']} (p = {row['chance']:.2g})"
    )


def _gaps(carry: pd.DataFrame) -> Iterator[str]:
    """The reading gap of each training procedure's weights; schemes 1 and 3 share theirs."""
    for place, cells in places(carry):
        known = cells[(cells["scheme"] != 1) & cells["gap"].notna()]
        for (scheme, bias), own in known.groupby(["scheme", "forget_bias"]):
            name = "schemes 1 and 3" if scheme == 3 else f"scheme {scheme}"
            tops = own[own["largest_gap"] == own["largest_gap"].max()]
            largest = f"; largest {at(tops.iloc[0], 'largest_gap')}" if len(tops) else ""
            yield (
                f"{place_words(place, *_axes(own))}, {name}, forget bias {bias:g}: reading gap at"
                f" the end {span(own['gap'])}{largest}."
            )


def _rises(cells: pd.DataFrame) -> Iterator[str]:
    """The largest rises, and of what kind and course those above the threshold are."""
    column = "suspect" if "suspect" in cells else "forget_bias"
    # A switch that concerns scheme 4 alone leaves scheme 3's runs as they are: they are told once.
    once = cells.drop_duplicates(["run", "scheme", "num_batches"]) if len(cells) else cells
    for place, group in places(once):
        for (scheme, value), own in group.groupby(["scheme", column], sort=False):
            if own["rise"].isna().all():
                continue
            name = f"switch {value}" if column == "suspect" else f"forget bias {value:g}"
            above = own[own["rise"] > own["threshold"]]
            kinds = f": {counted(above['kind'])}; {counted(above['course'])}" if len(above) else ""
            limit = ", ".join(f"{one:.3f}" for one in sorted(set(own["threshold"])))
            number = f"{len(above)} of them"
            yield (
                f"{place_words(place, *_axes(own))}, scheme {scheme}, {name}: largest rise"
                f" {span(own['rise'])}, above the threshold of {limit} in {number}{kinds}."
            )


def _restarts(carry: pd.DataFrame, suspects: pd.DataFrame) -> str:
    """Whether rises follow restarts, if the schedule of evaluations can tell."""
    known = [table for table in (carry, suspects) if len(table)]
    cells = pd.concat(known, ignore_index=True)
    carried = cells[(cells["scheme"] == 4) & (cells["rise"] > cells["threshold"])]
    rises = carried[carried["after_start"].notna()]
    if rises.empty:
        return (
            "Whether rises follow restarts cannot be told: no cell of scheme 4 rises above the"
            " threshold after its first epoch."
        )
    dense = rises[rises["schedule"] == "dense"]
    if dense.empty:
        return (
            "Whether rises follow restarts cannot be told: the evaluations of these cells are not"
            " unrelated to the starts of epochs (evaluate_at=dense is)."
        )
    return (
        f"Of {len(dense)} cells of scheme 4 that rise above the threshold after their first epoch,"
        f" {int(dense['after_start'].sum())} rise most at the first evaluation of an epoch; of all"
        f" their evaluations after the first epoch, {dense['after_starts'].mean():.0%} are such."
    )


def _states(carry: pd.DataFrame) -> Iterator[str]:
    """The size of the states and gradients at the end, where it was measured."""
    names = ["mean_abs_cell", "saturated_share", "gradient_norm"]
    for place, cells in places(carry if "mean_abs_cell" in carry else carry.iloc[:0]):
        for (scheme, bias), own in cells.groupby(["scheme", "forget_bias"]):
            mean, share, gradient = own[names].median()
            number = many(len(own), "cell")
            if scheme != 1 and math.isfinite(mean):
                yield (
                    f"{place_words(place, *_axes(own))}, scheme {scheme}, forget bias {bias:g},"
                    f" medians of {number} at the end: mean |c| {mean:.3g}, {share:.1%} of"
                    f" tanh(c) saturated, gradient norm {gradient:.3g}; largest |c| during"
                    f" training, in any cell: {own['largest_cell'].max():.3g}."
                )


def _axes(cells: pd.DataFrame) -> tuple[str, str]:
    k1, seeds = (", ".join(map(str, sorted(cells[name].unique()))) for name in ("k1", "seed"))
    return k1, seeds
