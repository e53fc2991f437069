"""Results as tables. Imports no torch: a table of finished runs appears at once."""

from __future__ import annotations

import json
import logging
import os
from pathlib import Path

import pandas as pd
from omegaconf import OmegaConf

from charrnn.data.corpora.labels import labels
from charrnn.errors import CharRNNError
from charrnn.runs.folder import RunFolder
from charrnn.runs.identity import variant
from charrnn.untrusted import plain_yaml

log = logging.getLogger(__name__)


def results(folder: str | os.PathLike[str] = "multirun") -> pd.DataFrame:
    """All evaluations of all runs below a folder, finished or not, one row each.

    A run that cannot be read is left out, and a line in the log says so.

    Args:
        folder: the folder of all runs.

    Returns:
        Columns: run, corpus (where texts have the same name, with the beginning of the text's
        hash), scheme (that the run was configured with), training, k1, k2,
        num_layers, hidden_size, seed, scale and settings (what differs from the defaults), then
        those of charrnn.runs.files.Evaluation.

    Raises:
        CharRNNError: if there is no run below the folder.

    Examples:
        >>> from charrnn import results
        >>> table = results("multirun")
        >>> own = table.query("procedure == 'windowed'")
        >>> own[["run", "corpus", "k1", "batches"]].head(2)
               run corpus  k1  batches
        0  example   text  20        1
        2  example   text  20        3
    """
    runs = Path(folder).expanduser()
    paths = sorted(path.parent for path in runs.rglob("config.yaml"))
    if not paths:
        raise CharRNNError(f"{runs} has no runs: train one first, or name their folder.")
    tables = []
    for path in paths:
        try:
            tables.append(_evaluations(RunFolder(path)))
        except CharRNNError as error:
            log.warning("left out: %s", error)
    # An empty table would decide the types of the columns.
    tables = [table for table in tables if len(table)] or tables[:1]
    if not tables:
        return pd.DataFrame()
    table = pd.concat(tables, ignore_index=True)
    texts = list(zip(table["corpus"], table["text"], strict=True))
    called = labels(texts)
    return table.assign(corpus=[called[text] for text in texts]).drop(columns="text")


def _evaluations(run: RunFolder) -> pd.DataFrame:
    """The run's evaluations, after columns that say which run it is."""
    run.prove()
    table = run.read_table()
    try:
        cfg = OmegaConf.create(plain_yaml(run.read("config.yaml")))
        identity = json.loads(run.read("identity.json"))
        columns = {
            "run": run.path.name,
            "corpus": identity["corpus"]["name"],
            "text": identity["corpus"]["sha256"],
            "scheme": cfg.scheme,
            "training": identity["training"],
            "k1": cfg.k1,
            "k2": cfg.k2,
            "num_layers": cfg.backbone.num_layers,
            "hidden_size": cfg.backbone.hidden_size,
            "seed": cfg.seed,
            "scale": cfg.scale.name,
            "settings": " ".join(variant(identity, cfg.scale)),
        }
    except CharRNNError:
        raise
    except Exception as error:  # its type depends on what is wrong with the file
        raise CharRNNError(f"{run.path} cannot be read: {error}.") from error
    return table.assign(**columns)[[*columns, *table.columns]]
