"""How much one setting matters: the variance over its values, net of that over replicates."""

from __future__ import annotations

import numpy as np
import pandas as pd

from analysis.statistics.intervals import ENOUGH


def net_variance(numbers: np.ndarray) -> float:
    """The variance over a setting's values beyond what replicates alone give.

    The component of variance in a two-way layout without repetition: the mean square over values
    less that of the residual, per replicate (Searle, Casella and McCulloch 1992, Section 4.3). It
    estimates without bias, so it can be negative where the setting does not matter.

    Args:
        numbers: a number per value and replicate (values, replicates), at least 2 of each.

    Examples:
        Two values that differ by 2 in both replicates, without noise:

        >>> net_variance(np.array([[1.0, 5.0], [3.0, 7.0]]))
        2.0
    """
    values, replicates = numbers.shape
    of_values, of_replicates = numbers.mean(axis=1), numbers.mean(axis=0)
    residual = numbers - of_values[:, None] - of_replicates + numbers.mean()
    noise = (residual**2).sum() / ((values - 1) * (replicates - 1))
    return float(of_values.var(ddof=1) - noise / replicates)


def net_variances(cells: pd.Series[float], column: str) -> pd.Series[float]:
    """The net variance over a column, as one number per replicate for Student's interval.

    These are the jackknife's pseudo-values: what each replicate adds. With fewer than three, noise
    cannot be told from the setting, and it is the plain variance in each replicate.

    Args:
        cells: a number per cell, indexed by columns of cells, ``column`` and `seed` among them.
        column: the setting. Groups with a single value of it, or with gaps, are left out.

    Returns:
        A number per replicate, indexed by the other columns.
    """
    others = [name for name in cells.index.names if name not in (column, "seed")]
    index, numbers = [], []
    for place, group in cells.groupby(level=others, sort=False):
        table = group.droplevel(others).rename("number").reset_index()
        table = table.pivot_table("number", column, "seed", dropna=False)
        if len(table) < 2 or table.isna().any(axis=None):
            continue
        for seed, number in zip(table.columns, _of_replicates(table.to_numpy()), strict=True):
            index.append((*(place if isinstance(place, tuple) else (place,)), seed))
            numbers.append(number)
    levels = pd.MultiIndex.from_tuples(index, names=[*others, "seed"]) if index else None
    empty = pd.MultiIndex.from_arrays([[]] * (len(others) + 1), names=[*others, "seed"])
    return pd.Series(numbers, empty if levels is None else levels, dtype=float)


def _of_replicates(numbers: np.ndarray) -> np.ndarray:
    replicates = numbers.shape[1]
    if replicates < ENOUGH:
        return numbers.var(axis=0, ddof=1)
    without = [net_variance(np.delete(numbers, n, axis=1)) for n in range(replicates)]
    return replicates * net_variance(numbers) - (replicates - 1) * np.array(without)
