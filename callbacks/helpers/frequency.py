"""When a callback acts: at chosen training steps, or every epoch."""

import math
import operator

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
            value = _positive_int(value)
        self.value = value

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
        return [count * self.value for count in range(first, now // self.value + 1)]


def _logarithmic(before, now):
    """The steps round(10^(k / 20)), k = 0, 1, 2, ..., among `before + 1` to `now`."""
    first = math.floor(_STEPS_PER_DECADE * math.log10(max(before, 1)))
    last = math.ceil(_STEPS_PER_DECADE * math.log10(now + 1))
    steps = {round(10 ** (k / _STEPS_PER_DECADE)) for k in range(first, last + 1)}
    return sorted(step for step in steps if before < step <= now)


def _positive_int(value):
    try:
        # Takes NumPy's integers too, and no floats.
        count = 0 if isinstance(value, bool) else operator.index(value)
    except TypeError:
        count = 0
    if count < 1:
        raise ValueError(
            f"Invalid value for argument `frequency`. Expected {POWER_OF_TWO!r}, {LOGARITHMIC!r}, "
            f"{EPOCH!r} or a positive number of steps. Received: frequency={value!r}"
        )
    return count
