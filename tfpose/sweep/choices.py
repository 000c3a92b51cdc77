"""What a sweep tries: overrides with several values -> trials, all combinations (a grid) or some drawn by chance.

`train.batch=[16,32]` are two choices, `train.optimizer.learning_rate=1e-4..1e-2` is a range, and anything else is a
value that all trials have. A list that is one value is written as the only choice: `system.size=[[128,96]]`.
"""

import hashlib
import itertools
import json
import re
from dataclasses import dataclass

import numpy as np
import yaml

NUMBER = r"[-+]?\d+\.?\d*(?:[eE][-+]?\d+)?|[-+]?\.\d+(?:[eE][-+]?\d+)?"
RANGE = re.compile(rf"({NUMBER})\.\.({NUMBER})")
LONGEST = 100  # letters in the name of a folder
ENOUGH = 100  # draws in a row that were there already: then there is nothing new


@dataclass(frozen=True)
class Choices:
    """The texts among which one is chosen for an option."""

    option: str
    texts: tuple[str, ...]

    def drawn(self, chance: np.random.Generator) -> str:
        """One of them, each as likely."""
        return self.texts[chance.integers(len(self.texts))]


@dataclass(frozen=True)
class Range:
    """The numbers from `low` to `high` for an option, `whole` ones or any."""

    option: str
    low: float
    high: float
    whole: bool

    def drawn(self, chance: np.random.Generator) -> str:
        """One of them, to three digits: its logarithm is uniform, or the number where one end is not positive."""
        share = chance.random()
        if self.low > 0:
            value = self.low * (self.high / self.low) ** share
        else:
            value = self.low + (self.high - self.low) * share
        return str(round(value)) if self.whole else f"{value:.3g}"


@dataclass(frozen=True)
class Trial:
    """One training: the values of what is varied, {option: text}, and the name of its folder."""

    values: dict[str, str]
    name: str

    @property
    def overrides(self) -> tuple[str, ...]:
        """As the command line takes them."""
        return tuple(f"{option}={text}" for option, text in self.values.items())


def parsed(overrides: list[str]) -> tuple[tuple[str, ...], list[Choices | Range]]:
    """(overrides of all trials, what is varied); ValueError where nothing is, or an override cannot be read."""
    fixed, varied = [], []
    for override in overrides:
        option, _, text = override.partition("=")
        if found := RANGE.fullmatch(text.strip()):
            varied.append(_range(option, *found.groups()))
        elif text.lstrip().startswith("["):
            varied.append(Choices(option, _texts(option, text)))
        else:
            fixed.append(override)
    if not varied:
        raise ValueError(
            "nothing is varied; give choices, as in train.batch=[16,32], or a range, as in "
            "train.optimizer.learning_rate=1e-4..1e-2"
        )
    if len(options := [v.option for v in varied]) > len(set(options)):
        raise ValueError(f"{max(options, key=options.count)} is varied twice; give all of its values at once")
    return tuple(fixed), varied


def _range(option: str, first: str, last: str) -> Range:
    low, high = float(first), float(last)
    if not low < high:
        raise ValueError(f"{option}: found {first}..{last}; expected the lower end first")
    return Range(option, low, high, all(re.fullmatch(r"[-+]?\d+", end) for end in (first, last)))


def _texts(option: str, text: str) -> tuple[str, ...]:
    try:
        values = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ValueError(f"{option}: not YAML: {text!r}") from error
    if not values:
        raise ValueError(f"{option}: no choices in {text!r}")
    return tuple(dict.fromkeys(_text(value) for value in values))


def _text(value) -> str:
    """A value as an override says it."""
    plain = isinstance(value, str) and yaml.safe_load(value) == value
    return value if plain else json.dumps(value)


def grid(varied: list[Choices | Range]) -> list[Trial]:
    """Every combination, the last option changing first; ValueError where one is a range, which has no end."""
    if unending := [v.option for v in varied if isinstance(v, Range)]:
        raise ValueError(f"{unending[0]}: a range is drawn from by chance; say how often, as in --trials 20")
    options = [v.option for v in varied]
    return [named(dict(zip(options, texts))) for texts in itertools.product(*(v.texts for v in varied))]


def drawn(varied: list[Choices | Range], count: int, seed: int) -> list[Trial]:
    """`count` different trials by chance, fewer where there are no more; more of them begin with the same ones."""
    found, number, last = {}, 0, 0
    while len(found) < count and number - last < ENOUGH:
        values = {v.option: v.drawn(np.random.default_rng([seed, number, i])) for i, v in enumerate(varied)}
        number += 1
        if (trial := named(values)).name not in found:
            found[trial.name], last = trial, number
    return list(found.values())


def named(values: dict[str, str]) -> Trial:
    """A trial under a name that is a folder's, and says its values."""
    names = short(list(values))
    name = ",".join(f"{n}={re.sub(r'[^A-Za-z0-9.+-]+', '_', text)}" for n, text in zip(names, values.values()))
    exact = hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:8]
    lossy = len(name) > LONGEST or any(re.search(r"[^A-Za-z0-9.+-]", text) for text in values.values())
    return Trial(values, f"{name[:LONGEST]}-{exact}" if lossy else name)


def short(options: list[str]) -> list[str]:
    """The last part of each option's path; the whole of it where two end alike."""
    ends = [option.rpartition(".")[2] for option in options]
    return [end if ends.count(end) == 1 else option for end, option in zip(ends, options)]
