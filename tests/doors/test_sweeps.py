"""The presets for sweeps and launchers, as people type them."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from carsynth.cli import CONFIG_DIR
from tests.doors.commands import TINY, mistake, succeed

pytestmark = pytest.mark.slow
PRESETS = sorted(path.stem for path in Path(CONFIG_DIR, "sweep").glob("*.yaml"))
LAUNCHERS = sorted(path.stem for path in Path(CONFIG_DIR, "launcher").glob("*.yaml"))


def read(path: Path) -> Any:
    return json.loads(path.read_text())


def summaries(sweep: Path) -> list[Any]:
    return [read(path) for path in sorted(sweep.glob("*/summary.json"))]


def needs(launcher: str) -> None:
    pytest.importorskip(f"hydra_plugins.hydra_{launcher.partition('_')[0]}_launcher")


def test_optuna_finds_its_best_again_in_its_storage(tmp_path: Path) -> None:
    optuna = pytest.importorskip("optuna")
    words = (*TINY, "hydra.sweeper.n_trials=3")
    succeed(tmp_path, "train", "-m", "+sweep=optuna_lr", *words)
    (sweep,) = (tmp_path / "outputs" / "optuna_lr").iterdir()
    study = optuna.load_study("optuna_lr", f"sqlite:///{sweep / 'optuna.db'}")
    assert study.direction == optuna.study.StudyDirection.MINIMIZE
    scores = [summary["best_score"] for summary in summaries(sweep)]
    assert [trial.value for trial in study.trials] == pytest.approx(scores)
    assert study.best_value == pytest.approx(min(scores))
    best = OmegaConf.load(sweep / str(study.best_trial.number) / "config.yaml")
    for name, value in study.best_params.items():
        assert 5e-5 <= value <= 2e-3
        assert OmegaConf.select(best, name) == pytest.approx(value)
    assert len({trial.params["optim.lr"] for trial in study.trials}) == 3

    # One more trial of the same study, with a range of its own and one rate held still.
    words = (
        *TINY,
        "hydra.sweeper.n_trials=1",
        f"hydra.sweeper.storage=sqlite:///{sweep}/optuna.db",
    )
    words += ("optim.lr=tag(log,interval(1e-5,2e-5))", "optim.lr_d=3e-4", "hydra.sweep.dir=more")
    succeed(tmp_path, "train", "-m", "+sweep=optuna_lr", *words)
    again = optuna.load_study("optuna_lr", f"sqlite:///{sweep / 'optuna.db'}").trials[3]
    assert 1e-5 <= again.params["optim.lr"] <= 2e-5
    assert OmegaConf.load(tmp_path / "more" / "0" / "config.yaml").optim.lr_d == 3e-4


@pytest.mark.parametrize("launcher", ["joblib", "submitit_local"])
def test_jobs_side_by_side_train_as_they_do_one_after_the_other(
    launcher: str, tmp_path: Path, finished: Path
) -> None:
    needs(launcher)
    words = ("seed=0,1", "hydra.sweep.dir=sweep")
    succeed(tmp_path, "train", "-m", f"+launcher={launcher}", *TINY, *words)
    alone = read(finished / "summary.json")["best_score"]
    first, second = [summary["best_score"] for summary in summaries(tmp_path / "sweep")]
    assert first == pytest.approx(alone, rel=1e-4)
    assert second != pytest.approx(alone, rel=1e-4)


@pytest.mark.parametrize("launcher", ["joblib", "submitit_local"])
def test_a_mistake_in_a_launched_job_is_one_line(launcher: str, tmp_path: Path) -> None:
    needs(launcher)
    words = (*TINY, "data.size=[32,40]", "seed=0,1", "hydra.sweep.dir=sweep")
    line = mistake(tmp_path, "train", "-m", f"+launcher={launcher}", *words)
    assert "multiples of 16" in line


def test_seeds_and_archs_share_one_folder(tmp_path: Path) -> None:
    words = ["trainer=cpu", "trainer.max_epochs=1", "trainer.check_val_every_n_epoch=1"]
    words += ["metric=random_inception", "data=toycars", "data.source.length=40", "arch.width=4"]
    words += ["data.batch_size=4", "data.fractions=[0.8,0.1,0.1]"]
    words += ['hydra.sweeper.params.seed="3,5"']
    succeed(tmp_path, "train", "-m", "+sweep=seed_archs", *words)
    (sweep,) = (tmp_path / "outputs" / "seed_archs").iterdir()
    configs = [OmegaConf.load(path) for path in sorted(sweep.glob("*/config.yaml"))]
    assert [(c.name, c.arch.name, c.seed) for c in configs] == [
        (name, name, seed) for name in ("dcgan_deconv", "dcgan_upsample") for seed in (3, 5)
    ]
    assert {summary["status"] for summary in summaries(sweep)} == {"finished"}
    said = succeed(tmp_path, "compare", str(sweep))
    assert "dcgan_deconv" in said
    assert "dcgan_upsample" in said


def test_a_job_of_two_processes_is_one_of_its_sweep(tmp_path: Path) -> None:
    pytest.importorskip("optuna")
    words = [word for word in TINY if word not in ("trainer=cpu", "data.batch_size=4")]
    words += ["trainer=ddp_cpu", "data.batch_size=2", "hydra.sweeper.n_trials=1"]
    succeed(tmp_path, "train", "-m", "+sweep=optuna_lr", *words, "hydra.sweep.dir=sweep")
    assert [summary["seen"] for summary in summaries(tmp_path / "sweep")] == [32]


@pytest.mark.parametrize("launcher", LAUNCHERS)
def test_every_launcher_composes_with_every_sweep(launcher: str) -> None:
    needs(launcher)
    for preset in PRESETS:
        words = [f"+sweep={preset}", f"+launcher={launcher}", *_experiment(preset)]
        with initialize_config_dir(CONFIG_DIR, version_base="1.3"):
            config = compose("train", words, return_hydra_config=True)
        assert config.hydra.runtime.choices["hydra/launcher"] == launcher
        assert f"outputs/{preset}/" in config.hydra.sweep.dir
        assert config.arch is not None


@pytest.mark.parametrize("preset", PRESETS)
def test_every_preset_is_for_a_multirun(preset: str, tmp_path: Path) -> None:
    said = mistake(tmp_path, "train", f"+sweep={preset}", *_experiment(preset))
    assert f"+sweep={preset} is for several jobs: add -m" in said


@pytest.mark.parametrize(
    "words",
    [
        *(("+experiment=pix2pixhd", f"+launcher={launcher}") for launcher in LAUNCHERS),
        ("+experiment=pix2pixhd", "+sweep=optuna_lr"),
        ("+experiment=pix2pixhd", "hydra/launcher=joblib"),
    ],
)
def test_without_the_extra_one_line_says_what_to_install(
    words: tuple[str, ...], tmp_path: Path
) -> None:
    code = (
        "import runpy, sys; sys.modules['hydra_plugins'] = None;"  # as if none were installed
        f"sys.argv[1:] = {['-m', *words]!r};"
        "runpy.run_module('carsynth.train', run_name='__main__')"
    )
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.returncode == 2, done.stderr[-2000:]
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("carsynth: ")]
    assert "Traceback" not in done.stderr
    assert line.endswith("is not installed: pip install 'carsynth[sweeps]'")


def test_what_can_go_wrong_in_a_sweep_is_one_line(tmp_path: Path) -> None:
    both = ("-m", "+experiment=pix2pixhd,demo")
    line = mistake(tmp_path, "train", *both, "arch.width=4")
    assert "write ++arch.width=VALUE" in line
    line = mistake(tmp_path, "train", *both, "arch.widht=4")
    assert "arch.widht; did you mean arch.width?" in line
    line = mistake(tmp_path, "train", "-m", "+sweep=optuna_lr", *TINY[1:])
    assert "nothing to train: add +experiment=NAME" in line
    line = mistake(tmp_path, "train", "-m", "+sweep=optuna_rl", *TINY)
    assert "did you mean optuna_lr?" in line
    line = mistake(tmp_path, "train", "-m", "sweep=optuna_lr", *TINY)
    assert "write +sweep=NAME" in line
    line = mistake(tmp_path, "train", "-m", "+sweep=seed_archs", "arch.widht=4")
    assert "arch.widht; did you mean arch.width?" in line


def _experiment(preset: str) -> tuple[str, ...]:
    brings_its_own = "/experiment:" in Path(CONFIG_DIR, "sweep", f"{preset}.yaml").read_text()
    return () if brings_its_own else ("+experiment=pix2pixhd",)
