"""Candidate limbs -> people: the best limb first, each joined to whom it fits, nobody with two peaks of one keypoint.

A limb fits where the people at its ends have no keypoint in common. That is at once the greedy matching of every limb,
its assembly over the tree of limbs, and the use of redundant ones, which join what a missing keypoint cuts in two.
"""

from dataclasses import dataclass


@dataclass(slots=True, eq=False)
class Person:
    """A body in the making: its peaks, a bit for each keypoint that they are of, and the sum of all scores in it."""

    peaks: list[int]
    has: int
    score: float


@dataclass(slots=True, eq=False)
class Limbs:
    """Pairs of peaks, best first, as lists: the peaks `starts` and `ends` that they join, the `scores` of the field."""

    starts: list[int]
    ends: list[int]
    scores: list[float]


def people(kinds: list[int], values: list[float], limbs: Limbs, least: float) -> list[Person]:
    """The people that limbs make of peaks of these keypoints and values, where they score above `least`.

    The weaker limbs then give people the peaks that are left over; they begin and join nobody.
    """
    owners: list[Person | None] = [None] * len(kinds)
    bits = [1 << kind for kind in kinds]
    found, weak = [], []
    for start, end, score in zip(limbs.starts, limbs.ends, limbs.scores):
        one, other = owners[start], owners[end]
        if score <= least:
            # Whoever has both ends now keeps them.
            if one is None or other is None:
                weak += start, end, score
        elif one is None:
            if other is not None:
                _add(other, start, score, owners, bits, values)
            else:
                found.append(Person([start, end], bits[start] | bits[end], values[start] + values[end] + score))
                owners[start] = owners[end] = found[-1]
        elif other is None:
            _add(one, end, score, owners, bits, values)
        elif one is other:
            one.score += score
        elif not one.has & other.has:
            _merge(one, other, score, owners)
    for start, end, score in zip(weak[::3], weak[1::3], weak[2::3]):
        one, other = owners[start], owners[end]
        if one is None and other is not None:
            _add(other, start, score, owners, bits, values)
        elif other is None and one is not None:
            _add(one, end, score, owners, bits, values)
    return [person for person in found if person.peaks]


def _add(person: Person, peak: int, score: float, owners: list, bits: list[int], values: list[float]) -> None:
    if not person.has & bits[peak]:
        owners[peak] = person
        person.peaks.append(peak)
        person.has |= bits[peak]
        person.score += values[peak] + score


def _merge(one: Person, other: Person, score: float, owners: list) -> None:
    for peak in other.peaks:
        owners[peak] = one
    one.peaks += other.peaks
    one.has |= other.has
    one.score += other.score + score
    other.peaks = []
