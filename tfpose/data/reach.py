"""How far and how finely the views of a person can look: what a crop must hold, and what one that is there does."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Reach:
    """What crops are cut for: views `aspect` times as wide as high of up to `around` times a box, turned or not.

    `half` is the same of half a body (0: never), `shift` and `extension` are those of `config.Augment`; `detail` is
    how many pixels wide a person's box is at most. With `margin` crops are so many times the box and no
    more, upright, whatever chance does.
    """

    aspect: float
    around: float
    half: float
    shift: float
    extension: tuple[float, float]
    turned: bool
    detail: float
    margin: float = 0.0

    def holds(self, other: "Reach") -> bool:
        """Whether crops of this reach have all that views of another one show."""
        if abs(self.aspect - other.aspect) > 1e-6 or self.detail < other.detail - 1e-6:
            return False
        names = ("around", "half", "shift", "turned")
        within = all(getattr(self, name) >= getattr(other, name) for name in names)
        return bool(self.margin) or (within and all(a >= b for a, b in zip(self.extension, other.extension)))
