"""The programme of runs: what each part trains, and that one can be trained."""

from __future__ import annotations

import shlex

import pytest
from analysis.programme import PARTS, train
from processes import run_command

from charrnn.errors import BadInput
from charrnn.sweeps.cells import compose_cells

# The substitutes of the paper's corpora, so that nothing is looked for on the network.
OFFLINE = "corpora=substitutes"
CELLS = {
    # Corpora x schemes x k1 x replicates, and forget biases.
    1: [4 * 3 * 3 * 3],
    2: [4 * 3 * 3 * 3],
    3: [2 * 2 * 2 * 2 * 5 * 2],
    4: [3 * 2, 2],
    # Layers x k1 x replicates.
    5: [2 * 5 * 3] * 3,
    6: [4 * 2 * 2 * 2],
    7: [2 * 4 * 2],
    8: [2 * 2 * 2 * 3],
    9: [2 * 2],
    # Schemes x k2 x shares of k1 x replicates.
    10: [4 * 5 * 3 * 3],
    11: [4 * 3 * 3 * 3],
    # Corpora x architectures x k1 x replicates.
    12: [4 * 4 * 3 * 3] * 2,
    13: [4],
    # Recurrent cells x starts x replicates.
    14: [5 * 6 * 3],
    15: [3 * 6],
}


@pytest.mark.slow
@pytest.mark.parametrize(
    "number", [n if n in (1, 4) else pytest.param(n, marks=pytest.mark.long) for n in PARTS]
)
def test_a_part_has_these_cells_all_evaluated_densely(number):
    words = PARTS[number].commands([OFFLINE])
    found = [compose_cells(_experiment(sweep), _rest(sweep)) for sweep in words]
    assert [len(cells) for cells in found] == CELLS[number]
    assert {cfg.evaluate_at for cells in found for cfg in cells} == {"dense"}


def test_the_parts_at_the_papers_size_have_it():
    (sweep,) = PARTS[13].commands([OFFLINE])
    for cfg in compose_cells("fig9", _rest(sweep)):
        sizes = cfg.backbone.hidden_size, cfg.backbone.dense_size, cfg.num_batches
        assert sizes == (512, 1024, 12_800)
    shortest, third = PARTS[4].commands([OFFLINE])
    cells = compose_cells("fig11", _rest(shortest))
    assert {cfg.k1 for cfg in cells} == {20, 13, 7}
    assert {cfg.backbone.hidden_size for cfg in cells} == {512}
    assert {cfg.k1 for cfg in compose_cells("fig11", _rest(third))} == {20}


def test_there_is_no_part_0():
    with pytest.raises(BadInput, match=r"^PART=0 cannot be used: .* a number from 1 to 15\.$"):
        train("0", [])


@pytest.mark.slow
def test_a_part_is_trained_and_drawn(tmp_path):
    small = ["scale=smoke", "data=stdlib", "seed=0", "k1=20", "scheme=1", f"output_dir={tmp_path}"]
    done = run_command("analysis.programme", ["11", *small])
    assert done.returncode == 0, done.stderr
    assert "python src/train.py evaluate_at=dense experiment=shuffled" in done.stdout
    assert (tmp_path / "grids" / "shuffled-smoke.csv").exists()


def _experiment(words: list[str]) -> str:
    (name,) = (word.removeprefix("experiment=") for word in words if word.startswith("experiment="))
    return name


def _rest(words: list[str]) -> list[str]:
    """The words but the experiment's, as a shell would hand them on."""
    return [word for word in shlex.split(shlex.join(words)) if not word.startswith("experiment=")]
