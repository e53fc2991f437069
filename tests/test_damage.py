"""Files that are damaged at random, and runs that are killed at random: see damage.py."""

from __future__ import annotations

import logging

import damage
import pytest


@pytest.mark.long
def test_no_damage_changes_a_result_in_silence_or_ends_in_a_traceback(tmp_path, monkeypatch):
    monkeypatch.setenv("CHARRNN_DATA", str(tmp_path / "world" / "cache"))
    logging.getLogger().addHandler(nowhere := logging.NullHandler())
    try:
        problems: list[str] = []
        world = damage.make_world(tmp_path / "world")
        counts = damage.damage(world, 150, seed=1, problems=problems)
    finally:
        logging.getLogger().removeHandler(nowhere)
    assert problems == []
    assert sum(row["detected"] for row in counts.values()) > 75
    kills, finished = damage.kill(world, 12, seed=1)
    assert kills == 12
    assert finished >= 1
