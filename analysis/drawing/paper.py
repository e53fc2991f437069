"""How a figure differs from the paper's, in words."""

from __future__ import annotations

from functools import cache
from typing import Any

from omegaconf import OmegaConf

from analysis.drawing.catalogue import Figure
from analysis.results import Results
from charrnn.config import conf_folder
from charrnn.data.corpora.for_figures import AUTHORS, stands_for


def unlike_the_paper(results: Results, figure: Figure) -> list[str]:
    """What the paper's figure has, and this one lacks; and which colour is which of the paper's."""
    if not figure.paper:
        return []
    cells, scale = results.cells, paper_scale()
    absent = []
    if "corpus" in figure.paper:
        there = {stands_for(corpus) for corpus in cells["corpus"].unique()}
        lacking = [one.name.capitalize() for one in AUTHORS if one.name not in there]
        absent += [f"a corpus for {' and '.join(lacking)}"] if lacking else []
    for column in ("k1", "k2"):
        if column in figure.paper:
            there = {*cells[column].unique()}
            lacking = [str(value) for value in scale[column] if value not in there]
            absent += [f"{column}={', '.join(lacking)}"] if lacking else []
    words = [f"Of the paper's figure this one lacks {'; '.join(absent)}."] if absent else []
    sizes, own = scale["hidden_size"], sorted(cells["hidden_size"].unique())
    batches = results.curves["batches"].max() if len(results.curves) else 0
    if figure.colour == "architecture":
        if own != sizes and len(own) == len(sizes) == 2:
            words.append(
                f"Blue and red are the smaller gamma, green and yellow the larger one, as in the"
                f" paper; but there they are {sizes[0]} and {sizes[1]}, and here {own[0]} and"
                f" {own[1]}."
            )
            if own[1] == sizes[0]:
                words.append("So green here has the gamma of the paper's blue, and yellow of red.")
    elif own != [sizes[-1]]:
        words.append(f"The paper has gamma={sizes[-1]}.")
    if 0 < batches < scale["num_batches"]:
        words.append(f"The paper trains for {scale['num_batches']:,} batches.")
    return words


@cache
def paper_scale() -> dict[str, Any]:
    """The paper's values of k1, k2 and gamma, ascending, and its number of batches."""
    scale: Any = OmegaConf.load(conf_folder() / "scale" / "paper.yaml")
    known = {name: sorted(map(int, str(scale[name]).split(","))) for name in ("k1", "k2")}
    return {
        **known,
        "hidden_size": sorted(scale.hidden_size.values()),
        "num_batches": scale.num_batches,
    }
