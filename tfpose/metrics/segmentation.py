"""How much of the persons' pixels masks find: intersection over union of a whole data set, as PASCAL VOC counts it."""

from dataclasses import dataclass

import numpy as np


@dataclass
class Overlap:
    """Pixels of all images so far: `both` in the true mask and the found one, `either` in one of them at least.

    Everingham et al. 2010, "The PASCAL Visual Object Classes (VOC) Challenge", section 4.3, of one class.
    """

    both: int = 0
    either: int = 0

    def add(self, truth: np.ndarray, found: np.ndarray, unknown: np.ndarray) -> None:
        """Counts one image's masks (height, width) bool; what is unknown, as in a crowd, is left out."""
        assert truth.shape == found.shape == unknown.shape, (truth.shape, found.shape, unknown.shape)
        self.both += int(np.count_nonzero(truth & found & ~unknown))
        self.either += int(np.count_nonzero((truth | found) & ~unknown))

    @property
    def iou(self) -> float:
        """Intersection over union, 0 to 1; -1 where there is no pixel in either."""
        return self.both / self.either if self.either else -1.0
