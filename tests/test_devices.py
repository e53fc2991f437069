"""What runs are trained on: decided once, told to every job, and handed out evenly."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from types import SimpleNamespace

import pytest
import ray_cluster
from omegaconf import OmegaConf
from processes import ROOT, run_command
from watching import finished

from charrnn import devices
from charrnn.devices import Place, taken
from charrnn.errors import BadInput, CharRNNError
from charrnn.sweeps import resources
from charrnn.sweeps.cells import expand
from charrnn.sweeps.resources import settle, workers
from charrnn.training.train_run import train

SMALL = ("num_batches=1", "backbone.hidden_size=4", "backbone.dense_size=4", "sampling.length=0")
NO_GPU = "torch finds no GPU on"


@pytest.fixture
def gpus(monkeypatch):
    """Pretends that this process finds a number of GPUs, and trains on the CPU."""

    def pretend(number: int) -> None:
        monkeypatch.setattr(devices, "has_gpu", lambda: number > 0)
        monkeypatch.setattr(devices, "num_gpus", lambda: number)
        monkeypatch.setattr(devices, "gpu_name", lambda index=0: f"pretended {index}")
        monkeypatch.setattr(devices, "_use", lambda index: None)
        monkeypatch.setattr(Place, "for_trainer", lambda _: {"accelerator": "cpu", "devices": 1})

    return pretend


@pytest.fixture
def environment(tmp_path):
    """The environment of processes with pretended GPUs."""
    folder = tmp_path / "pretending"
    folder.mkdir()
    shutil.copy(ROOT / "tests" / "fake_gpus.py", folder / "sitecustomize.py")
    (folder / "main.py").write_text(
        "import runpy\n"
        "if __name__ == '__main__':\n"
        f"    runpy.run_path({str(folder / 'sitecustomize.py')!r})\n"
        "    from charrnn.cli import train\n"
        "    train()\n"
    )

    def make(**variables: object) -> dict[str, str]:
        path = os.pathsep.join([str(folder), os.environ["PYTHONPATH"]])
        return {"PYTHONPATH": path, **{name: str(value) for name, value in variables.items()}}

    return make


@pytest.fixture
def sweep(tmp_path, text_file, environment):
    """Runs a sweep in a process with pretended GPUs."""

    def run(*words: str, **variables: object):
        given = [f"output_dir={tmp_path / 'runs'}", "data=textfile", f"data.path={text_file}"]
        program = str(tmp_path / "pretending" / "main.py")
        words = ["-m", *given, *SMALL, "draw=false", *words]
        return run_command(program, words, environment(**variables))

    return run


def places(tmp_path: Path) -> list[dict]:
    """What the provenance of every finished run says about its machine."""
    runs = tmp_path / "runs"
    read = (
        json.loads((runs / name / "provenance.json").read_text()) for name in finished(tmp_path)
    )
    return [provenance["machine"] for provenance in read]


def test_auto_is_a_gpu_where_there_is_one(gpus):
    gpus(0)
    assert devices.decide("auto") == "cpu"
    gpus(1)
    assert [devices.decide(choice) for choice in ("auto", "gpu", "cpu")] == ["gpu", "gpu", "cpu"]
    with pytest.raises(BadInput, match="one of auto, cpu, gpu"):
        devices.decide("cuda")


def test_gpus_are_handed_out_evenly_and_given_back(gpus, tmp_path):
    gpus(2)
    with ExitStack() as held:
        first = [held.enter_context(taken("gpu", tmp_path)) for _ in range(2)]
        assert [place.index for place in first] == [0, 1]
        with taken("gpu", tmp_path) as third, taken("gpu", tmp_path) as fourth:
            assert (third.index, fourth.index) == (0, 1)
        with taken("gpu", tmp_path) as again, taken("cpu", tmp_path) as beside:
            assert again.index == 0
            assert beside.gpu is None
    assert str(again) == "GPU 0 (pretended 0)"


def test_processes_with_other_gpus_do_not_count(gpus, tmp_path, monkeypatch):
    """Commands that were given different GPUs of a machine."""
    gpus(2)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")
    with taken("gpu", tmp_path):
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2,3")
        with taken("gpu", tmp_path) as other:
            assert other.index == 0
            assert other.describe()["cuda_visible_devices"] == "2,3"


def test_a_disk_without_locks_means_the_first_gpu(gpus, tmp_path, monkeypatch, caplog):
    gpus(2)

    def no_locks(*_, **__):
        raise OSError(37, "No locks available")

    monkeypatch.setattr(devices.FileLock, "acquire", no_locks)
    with taken("gpu", tmp_path) as place:
        assert place.index == 0
    assert "No locks available" in caplog.text


def test_a_gpu_is_given_back_after_an_error(gpus, tmp_path):
    gpus(2)
    for _ in range(2):
        with pytest.raises(ZeroDivisionError), taken("gpu", tmp_path) as place:
            raise ZeroDivisionError
        assert place.index == 0


def test_lightning_is_told_which_gpu():
    assert Place("H", 3).for_trainer() == {"accelerator": "gpu", "devices": [3]}
    assert Place().for_trainer() == {"accelerator": "cpu", "devices": 1}


def test_a_run_says_what_it_is_trained_on(config, gpus, tmp_path, caplog):
    caplog.set_level("INFO")
    gpus(2)
    with taken("gpu", tmp_path / "runs"):  # another run has the first GPU
        folder = train(config("k1=20"))
    assert "k1=20, on GPU 1 (pretended 1): " in caplog.text
    (place,) = places(tmp_path)
    assert (place["device"], place["gpu"]) == ("cuda:1", "pretended 1")
    assert OmegaConf.load(folder.path / "config.yaml").device == "gpu"
    train(config("k1=40", "device=cpu"))
    assert "k1=40, on the CPU: " in caplog.text


def test_the_device_is_not_part_of_a_run(config, gpus, caplog):
    caplog.set_level("INFO")
    gpus(0)
    folder = train(config("device=cpu"))
    assert train(config("device=gpu")).path == folder.path, "a finished run needs no GPU"
    assert "trained before, reused" in caplog.text


def test_a_plan_for_a_gpu_is_not_trained_on_a_cpu(config, gpus, tmp_path):
    gpus(0)
    with pytest.raises(CharRNNError, match=rf"{NO_GPU} .*: device=cpu allows"):
        train(config("device=gpu"))
    assert not (tmp_path / "runs").exists(), "refused before anything was written"


@pytest.mark.parametrize("words", [["k1=20"], ["-m", "k1=20,40"], ["-m", "k1=20", "plan=true"]])
def test_a_command_for_a_gpu_ends_in_a_sentence_without_one(command, words, tmp_path):
    result = command(*words, "device=gpu")
    assert result.returncode == 2
    assert NO_GPU in result.stderr.splitlines()[-1]
    assert not list(tmp_path.glob("runs/*_*"))


def test_jobs_auto_counts_gpus(config, gpus):
    gpus(4)
    assert workers(config("scale=paper")) == 4
    assert workers(config("scale=paper", "device=cpu")) == 1
    assert workers(config("scale=paper", "jobs=3")) == 3


def test_jobs_auto_fills_gpus_that_several_processes_may_use_at_once(
    config, gpus, tmp_path, monkeypatch
):
    gpus(1)
    monkeypatch.setattr(resources, "cores", lambda: 32)
    monkeypatch.setenv("CUDA_MPS_PIPE_DIRECTORY", str(tmp_path))
    daemon = tmp_path / "nvidia-cuda-mps-control.pid"
    assert workers(config("scale=paper")) == 1
    with subprocess.Popen(["sleep", "60"]) as process:
        daemon.write_text(f"{process.pid}\n")
        assert workers(config("scale=paper")) == 8
        gpus(2)
        assert workers(config("scale=paper")) == 16
        monkeypatch.setattr(resources, "cores", lambda: 6)
        assert workers(config("scale=paper")) == 6
        process.kill()
    assert workers(config("scale=paper")) == 2  # the file of a daemon that has ended is still there


@pytest.mark.parametrize(
    ("launcher", "field"),
    [("slurm", "launcher.gpus_per_node"), ("ray", "launcher.ray.remote.num_gpus")],
)
@pytest.mark.parametrize(
    ("words", "device", "asked"),
    [
        (["device=gpu"], "gpu", 1),
        (["device=cpu"], "cpu", None),
        ([], "cpu", None),
        (["{}=2"], "gpu", 2),
        (["{}=0", "device=gpu"], "gpu", 0),  # some clusters take additional_parameters instead
    ],
)
def test_a_cluster_is_asked_for_gpus(config, gpus, launcher, field, words, device, asked):
    gpus(0)
    given = [word.format(field) for word in words]
    address = ["launcher.ray.init.address=HOST:6379"] if launcher == "ray" else []
    cfg = config(f"launcher={launcher}", *address, *given)
    settle(cfg)
    assert (cfg.device, OmegaConf.select(cfg, field)) == (device, asked)


def test_ray_on_this_machine_cannot_be_reached_from_others(config):
    cfg = config("launcher=ray")
    settle(cfg)
    init = cfg.launcher.ray.init
    assert (init.address, init._node_ip_address) == ("local", "127.0.0.1")
    cfg = config("launcher=ray", "launcher.ray.init.address=auto")
    settle(cfg)
    assert "_node_ip_address" not in cfg.launcher.ray.init


def jobs_of(cells) -> list[dict[str, str]]:
    return [dict(word.split("=", 1) for word in cell.overrides) for cell in cells]


def test_jobs_are_told_what_auto_stands_for(gpus):
    from hydra import initialize_config_dir
    from hydra.core.global_hydra import GlobalHydra
    from hydra.types import RunMode

    from charrnn.config import conf_folder, register_resolvers

    register_resolvers()
    gpus(1)
    words = ["scale=auto", "device=auto", "k1=20,40"]
    with initialize_config_dir(str(conf_folder()), version_base="1.3"):
        loader = GlobalHydra.instance().config_loader()
        cfg = loader.load_configuration("train", words, run_mode=RunMode.MULTIRUN)
        cells = expand(loader, cfg, words)
        assert [job | {"k1": ""} for job in jobs_of(cells)] == [
            {"k1": "", "device": "gpu", "scale": "paper"}
        ] * 2
        assert [cell.label for cell in cells] == ["k1=20", "k1=40"]
        gpus(0)
        (job,) = jobs_of(expand(loader, cfg, ["scale=laptop"]))
        assert job == {"scale": "laptop", "device": "cpu"}
        with pytest.raises(BadInput, match="the same in all cells"):
            expand(loader, cfg, ["device=cpu,gpu"])


@pytest.mark.slow
@pytest.mark.parametrize(
    "launcher",
    [*(pytest.param(n, marks=pytest.mark.long) for n in ("local", "joblib")), "submitit_local"],
)
def test_every_run_of_a_sweep_has_a_gpu_of_its_own(sweep, tmp_path, launcher):
    """Of two that the sweep may use, of more that the machine has."""
    words = ["scale=smoke", "k1=20,40", f"launcher={launcher}"]
    numbers = {"FAKE_GPUS": 4, "FAKE_GPUS_OF_JOBS": 4, "FAKE_AT_ONCE": 2}
    result = sweep(*words, **numbers, CUDA_VISIBLE_DEVICES="2,3")
    assert result.returncode == 0, result.stderr
    assert "device=gpu for all runs" in result.stderr
    assert "GPUs here: 2, runs at once: jobs=2" in result.stderr
    seen = {(at["device"], at["gpu"], at["cuda_visible_devices"]) for at in places(tmp_path)}
    assert seen == {("cuda:0", "pretended 2", "2,3"), ("cuda:1", "pretended 3", "2,3")}


@pytest.mark.slow
def test_what_was_planned_on_a_login_node_is_trained_on_a_node_with_a_gpu(sweep, tmp_path):
    result = sweep("scale=auto", "k1=20,40", "launcher=submitit_local", FAKE_GPUS_OF_JOBS=1)
    assert result.returncode == 0, result.stderr
    scales = {OmegaConf.load(path).scale.name for path in (tmp_path / "runs").glob("*/config.yaml")}
    assert scales == {"quick"}
    assert [place["device"] for place in places(tmp_path)] == ["cpu", "cpu"]
    jobs = re.search(r"jobs submitted: (\d+), \d+; the log of the first: (.*)", result.stderr)
    assert Path(jobs[2]).name == f"{jobs[1]}_0_log.err"
    assert "k1=20, on the CPU: " in Path(jobs[2]).read_text()
    assert "2 of 2 jobs ended" in result.stderr
    assert not list((tmp_path / "runs").rglob("%j"))


@pytest.mark.long
def test_what_was_planned_for_a_gpu_is_refused_on_a_node_without_one(sweep, tmp_path):
    result = sweep("scale=smoke", "k1=20,40", "launcher=submitit_local", FAKE_GPUS=1)
    assert result.returncode == 1
    assert "failed: k1=20: device=gpu was asked for" in result.stderr
    assert NO_GPU in result.stderr
    assert not finished(tmp_path)


class Job(SimpleNamespace):
    """A job of submitit's that has ended."""

    def done(self) -> bool:
        return True


def test_slurm_is_asked_for_a_gpu_and_its_jobs_are_named(config, monkeypatch, caplog):
    submitit = pytest.importorskip("submitit")
    from hydra.core.plugins import Plugins

    caplog.set_level("INFO")
    asked = []

    def lost():
        raise submitit.core.utils.UncompletedJobError("no result\nand more")

    def map_array(executor, launcher, *calls):
        asked.append(executor._executor.parameters)
        paths = SimpleNamespace(stderr="7_0_log.err")
        ended = [Job(job_id="7_0", paths=paths, results=lambda: ["a result"])]
        return [*ended, Job(job_id="7_1", paths=paths, results=lost)]

    monkeypatch.setattr("shutil.which", lambda name: name)
    monkeypatch.setattr(submitit.AutoExecutor, "map_array", map_array)
    cfg = config("launcher=slurm", "device=gpu", "launcher.partition=gpu")
    settle(cfg)
    launcher = Plugins.instance()._instantiate(cfg.launcher)
    first, second = launcher.launch([["k1=20"], ["k1=40"]], 0)
    assert first == "a result"
    assert second.status.name == "UNKNOWN"
    assert (asked[0]["gpus_per_node"], asked[0]["partition"]) == (1, "gpu")
    assert "jobs submitted: 7_0, 7_1; the log of the first: 7_0_log.err" in caplog.text
    assert "job 7_1 left no result (no result): see 7_0_log.err" in caplog.text


@pytest.mark.slow
def test_ray_hands_out_gpus_and_listens_on_loopback_only(tmp_path, text_file, environment):
    words = ["-m", "k1=20,40", "launcher=ray", "scale=smoke", *SMALL, "draw=false"]
    words += [f"output_dir={tmp_path / 'runs'}", "data=textfile", f"data.path={text_file}"]
    words += ["+launcher.ray.init.num_gpus=2", "+launcher.ray.init.num_cpus=2"]
    variables = environment(FAKE_GPUS=4, FAKE_AT_ONCE=2, **ray_cluster.ALONE)
    log, listening = tmp_path / "log", set()
    with ray_cluster.network() as network:
        process = network.start([sys.executable, "src/train.py", *words], log, **variables)
        while process.poll() is None:
            listening |= network.listening()
            time.sleep(0.2)
    assert process.returncode == 0, log.read_text()
    assert {place["cuda_visible_devices"] for place in places(tmp_path)} == {"0", "1"}
    assert {place["device"] for place in places(tmp_path)} == {"cuda:0"}
    assert listening
    assert all(address in ray_cluster.LOOPBACK for address in listening)
