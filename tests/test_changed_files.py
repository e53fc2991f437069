"""Files that change between the moment that a sweep is planned and its training."""

from __future__ import annotations

import numpy as np
import pytest
from helpers import shapes
from watching import end, finished

from charrnn.data.corpora.base import load_once
from charrnn.errors import CharRNNError
from charrnn.training.train_run import prepare, train

AGAIN = "start the sweep again once it stops changing."


@pytest.mark.slow
def test_a_text_that_changes_under_a_sweep_stops_the_runs_that_would_read_it(
    start, tmp_path, text_file
):
    """In workers, which read the text again after the parent has planned the sweep."""
    sweep = start("-m", "k1=20,40", "jobs=2")
    lines = iter(sweep.stderr.readline, "")
    assert any("2 cells, 2 distinct runs, 2 of them to train" in line for line in lines)
    text_file.write_text("another hat of the seat\n" * 1000)
    log = end(sweep)
    assert sweep.returncode == 1
    said = f"the text of text ({text_file}) was changed after the sweep had started; {AGAIN}"
    for k1 in (20, 40):
        assert f"failed: k1={k1}: {said}\n" in log
    assert "Traceback" not in log
    assert not finished(tmp_path)


def test_a_job_says_which_text_it_means(config, text_file):
    cfg = config()
    meant = prepare(cfg).datamodule.tokens.sha256
    job = ["job.of=2", "job.number=1", f"job.corpus='{meant}'"]
    assert prepare(config(*job)).datamodule.tokens.sha256 == meant
    text_file.write_text("another hat of the seat\n" * 1000)
    load_once.cache_clear()  # as in another process
    with pytest.raises(CharRNNError) as refusal:
        train(config(*job))
    assert str(refusal.value) == (
        f"the text of text ({text_file}) was changed after the sweep had started; {AGAIN}"
    )
    assert not prepare(cfg).folder.path.exists()


def test_a_job_says_which_run_it_means(config, tmp_path):
    """Whatever else a run is made of is in the hash at the end of its name."""
    path = tmp_path / "weights.npz"
    wanted = shapes(vocabulary=9, layers=1, hidden=16, dense=16, peepholes="lasagne")

    def write(value: float) -> None:
        np.savez(path, **{name: np.full(shape, value) for name, shape in wanted.items()})

    write(0.1)
    words = [f"initial_weights={path}", "num_batches=1", "job.of=2", "job.number=1"]
    name = prepare(config(*words)).folder.name
    words.append(f"job.run='{name.rpartition('_')[2]}'")
    train(config(*words))
    write(0.2)
    other = prepare(config(*words)).folder.name
    with pytest.raises(CharRNNError) as refusal:
        train(config(*words))
    assert str(refusal.value) == (
        f"a file that {other} is made of, such as initial_weights, was changed after the sweep had "
        f"started; {AGAIN}"
    )
