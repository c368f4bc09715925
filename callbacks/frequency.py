"""When a callback acts: at power-of-two steps, every N steps, or every epoch."""

POWER_OF_TWO = "power_of_two"
EPOCH = "epoch"


class Frequency:
    """Says at which training steps and epoch ends something is due.

    Args:
        value: `"power_of_two"`: at steps 1, 2, 4, 8, ...; an int N: every N steps; `"epoch"`: at
            the end of every epoch.

    Raises:
        ValueError: If the value is none of those.
    """

    def __init__(self, value: str | int):
        is_count = isinstance(value, int) and not isinstance(value, bool) and value > 0
        if value not in (POWER_OF_TWO, EPOCH) and not is_count:
            raise ValueError(
                f"Invalid value for argument `frequency`. Expected {POWER_OF_TWO!r}, {EPOCH!r} or "
                f"a positive number of steps. Received: frequency={value!r}"
            )
        self.value = value

    @property
    def by_epoch(self) -> bool:
        """Whether epoch ends are what counts."""
        return self.value == EPOCH

    def due(self, before: int, now: int) -> list[int]:
        """The steps at which something is due, among `before + 1` to `now`."""
        if self.by_epoch:
            return []
        if self.value == POWER_OF_TWO:
            return [1 << k for k in range(now.bit_length()) if before < 1 << k <= now]
        first = before // self.value + 1
        return [count * self.value for count in range(first, now // self.value + 1)]
