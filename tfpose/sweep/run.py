"""A sweep from its overrides to its table; what was finished before is kept, what failed or stopped is run again."""

import contextlib
import sys
from dataclasses import dataclass
from pathlib import Path

from tfpose import yaml_config
from tfpose.config import Config
from tfpose.evaluate import FIGURES, MAIN
from tfpose.progress import progress
from tfpose.sweep import outcome, pool
from tfpose.sweep.choices import Trial, drawn, grid, parsed
from tfpose.sweep.outcome import Aim
from tfpose.watch import status


@dataclass(frozen=True)
class Sweep:
    """Trials of a configuration file with overrides that all of them have, in a folder, and what is looked for."""

    file: Path
    fixed: tuple[str, ...]
    trials: tuple[Trial, ...]
    folder: Path
    aim: Aim

    def config(self, trial: Trial) -> Config:
        """The configuration of a trial; ValueError as `yaml_config.load`."""
        try:
            return yaml_config.load(self.file, (*self.fixed, *trial.overrides))
        except ValueError as error:
            hint = (
                "; of lists, choices have double brackets, as in [[64,48]]" if "expected a list" in str(error) else ""
            )
            raise ValueError(f"{error}{hint}") from error

    def outcomes(self) -> list[outcome.Outcome]:
        """What came of every trial until now, the best first."""
        return outcome.ranked([outcome.outcome(self.folder, trial, self.aim) for trial in self.trials], self.aim)


def planned(
    file: Path, overrides: list[str], folder: Path, *, trials: int, seed: int, metric: str, highest: bool | None
) -> Sweep:
    """A sweep whose every trial is a valid configuration; `trials` 0 is the grid, `highest` None as the metric is.

    ValueError for an unknown option or metric, and for a folder with trials of another sweep: nothing was trained yet.
    """
    fixed, varied = parsed(overrides)
    found = drawn(varied, trials, seed) if trials else grid(varied)
    evaluated = metric in (*FIGURES, *MAIN.values())
    highest = evaluated if highest is None else highest
    sweep = Sweep(file, fixed, tuple(found), folder, Aim(metric, highest, evaluated))
    for trial in sweep.trials:
        config = sweep.config(trial)
        _check(config, sweep.aim)
        there = folder / trial.name / "config.yaml"
        if status.read(there.parent).get("state") == status.FINISHED and yaml_config.load(there) != config:
            raise ValueError(f"{there.parent}: holds a trial of another sweep; choose another --workdir")
    return sweep


def _check(config: Config, aim: Aim) -> None:
    expected = MAIN[config.evaluate.metric]
    if aim.metric in MAIN.values() and aim.metric != expected:
        raise ValueError(f"--metric: found {aim.metric}, but evaluate.metric={config.evaluate.metric} is {expected}")
    if not aim.evaluated and aim.metric != "loss" and not aim.metric.startswith("val_"):
        raise ValueError(
            f"--metric: found {aim.metric}; expected loss, val_loss, another val_ column of log.csv, or a figure of "
            f"`tfpose evaluate`: {', '.join((*FIGURES, *list(MAIN.values())[1:]))}"
        )
    if not aim.evaluated and config.stages:
        raise ValueError(
            f"--metric: {aim.metric} is of one training, and this configuration has stages; take {expected}"
        )


def run(sweep: Sweep, places: int) -> None:
    """Runs what is not finished, `places` trainings at a time; the table is in the folder after each.

    KeyboardInterrupt leaves everything to be continued. ValueError where not one trial has a figure.
    """
    sweep.folder.mkdir(parents=True, exist_ok=True)
    jobs = [job for trial in sweep.trials if (job := _job(sweep, trial)).commands]
    print(f"{len(sweep.trials)} trials, {len(sweep.trials) - len(jobs)} of them finished: {sweep.folder}", flush=True)
    outcome.write(sweep.folder, sweep.outcomes(), sweep.aim, done=not jobs)
    try:
        with contextlib.closing(pool.run(jobs, places)) as ended:
            for job in progress(ended, len(jobs), "sweep"):
                _tell(sweep, job)
    finally:
        outcome.write(sweep.folder, sweep.outcomes(), sweep.aim, done=True)
    _close(sweep)


def _tell(sweep: Sweep, job: pool.Job) -> None:
    outcomes = sweep.outcomes()
    (one,) = (o for o in outcomes if o.trial.name == job.name)
    if one.figure is None:
        print(f"\n{job.name}: {one.said}; {job.folder / pool.OUTPUT}", file=sys.stderr)
    outcome.write(sweep.folder, outcomes, sweep.aim, done=False)


def _job(sweep: Sweep, trial: Trial) -> pool.Job:
    """What is left to do of a trial."""
    folder = sweep.folder / trial.name
    known = outcome.outcome(sweep.folder, trial, sweep.aim)
    finished = status.read(folder).get("state") == status.FINISHED
    options = (*sweep.fixed, *trial.overrides)
    train = ("train", str(sweep.file), *options, "--workdir", str(folder))
    evaluate = ("evaluate", str(folder), "--json") if sweep.aim.evaluated and known.figure is None else ()
    return pool.Job(trial.name, folder, tuple(c for c in (() if finished else train, evaluate) if c))


def _close(sweep: Sweep) -> None:
    outcomes = sweep.outcomes()
    print(f"{outcome.text(outcomes, sweep.aim)}\n{sweep.folder / outcome.CSV}, {sweep.folder / outcome.HTML}")
    if outcomes[0].figure is None:
        raise ValueError(f"none of {len(outcomes)} trials has a {sweep.aim.metric}; the first: {outcomes[0].said}")
