"""When a callback acts: at chosen training steps, or every epoch."""

import math
from typing import Any

from keras_vae.arguments import count, invalid

POWER_OF_TWO = "power_of_two"
LOGARITHMIC = "logarithmic"
EPOCH = "epoch"

_STEPS_PER_DECADE = 20


class Frequency:
    """Says at which training steps and epoch ends something is due.

    Args:
        value: `"power_of_two"`: at steps 1, 2, 4, 8, ...; `"logarithmic"`: at about twenty steps
            between any step and the tenfold, evenly spaced on a logarithmic axis; an int N: every
            N steps; `"epoch"`: at the end of every epoch.

    Raises:
        ValueError: If the value is none of those.
    """

    def __init__(self, value: str | int):
        if not (isinstance(value, str) and value in (POWER_OF_TWO, LOGARITHMIC, EPOCH)):
            try:
                value = count("frequency", value)
            except ValueError:
                names = f"{POWER_OF_TWO!r}, {LOGARITHMIC!r}, {EPOCH!r}"
                expected = f"{names} or a positive number of steps"
                raise invalid("frequency", expected, value) from None
        self.value: Any = value

    @property
    def by_epoch(self) -> bool:
        """Whether epoch ends are what counts."""
        return self.value == EPOCH

    def due(self, before: int, now: int) -> list[int]:
        """The steps at which something is due, among `before + 1` to `now`."""
        if self.by_epoch or now <= before:
            return []
        if self.value == POWER_OF_TWO:
            return [1 << k for k in range(now.bit_length()) if before < 1 << k <= now]
        if self.value == LOGARITHMIC:
            return _logarithmic(before, now)
        first = before // self.value + 1
        return [multiple * self.value for multiple in range(first, now // self.value + 1)]

    def next_due(self, step: int) -> float:
        """The first step after `step` at which something is due; `math.inf` by epochs."""
        if self.by_epoch:
            return math.inf
        until = step + 1
        while not self.due(step, until):
            # Due steps are never further apart than this, but where every `value` of them is.
            until = 2 * until if isinstance(self.value, str) else step + self.value
        return self.due(step, until)[0]


def _logarithmic(before, now):
    """The steps round(10^(k / 20)), k = 0, 1, 2, ..., among `before + 1` to `now`."""
    first = math.floor(_STEPS_PER_DECADE * math.log10(max(before, 1)))
    last = math.ceil(_STEPS_PER_DECADE * math.log10(now + 1))
    steps = {round(10 ** (k / _STEPS_PER_DECADE)) for k in range(first, last + 1)}
    return sorted(step for step in steps if before < step <= now)
