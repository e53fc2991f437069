"""What is said of runs that are trained side by side."""

from __future__ import annotations

import math

from charrnn.callbacks import reports
from charrnn.callbacks.reports import REPORTER, Report, in_words
from charrnn.training.train_run import train


def test_a_run_reports_its_batches_and_their_loss(config, monkeypatch):
    sent: list[Report] = []
    monkeypatch.setattr(REPORTER, "send", sent.append)
    monkeypatch.setattr(reports, "EVERY", 0.0)
    cfg = config("num_batches=3", "k2=10", "backbone.hidden_size=2", "evaluate_at=[]")
    train(cfg)
    assert [one.batches for one in sent] == [1, 2, 3]
    assert {one.num_batches for one in sent} == {3}
    assert {one.title for one in sent} == {f"scheme 1, {cfg.data.path}, k1=20"}
    # Nine distinct characters, and hardly any training.
    assert all(abs(one.loss - math.log(9)) < 0.5 for one in sent)


def test_a_process_that_is_gone_takes_no_report_and_the_run_goes_on(config, monkeypatch):
    def gone(_: Report) -> None:
        raise BrokenPipeError

    monkeypatch.setattr(REPORTER, "send", gone)
    monkeypatch.setattr(reports, "EVERY", 0.0)
    small = ("num_batches=1", "k2=10", "backbone.hidden_size=2", "evaluate_at=[]")
    assert train(config(*small)).is_finished


def test_the_time_left_counts_the_parts_of_runs_in_progress():
    """One run and two halves took 100 seconds: two more take as long. A fiftieth says little."""
    half = Report("scheme 1", 5, 10, 2.0)
    said = in_words(1, 4, 100.0, [half, half])
    assert said.startswith("1 of 4 runs finished, about 0:01:40 left; scheme 1: batch 5 of 10, ")
    assert "left" not in in_words(0, 4, 100.0, [Report("scheme 1", 1, 50, 2.0)])
