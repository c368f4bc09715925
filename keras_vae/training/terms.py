"""What one pass of a batch through a model gives: its output, and what its loss is made of."""

from collections.abc import Callable
from typing import Any, NamedTuple


class Term(NamedTuple):
    """A named part of the loss.

    Attributes:
        weight: Scalar, by which its mean enters the loss; `None` for what is logged only.
        value: `[batch]`, one number an example, or a scalar of the whole batch.
        size: Int. What the mean over the batch is divided by as well, for a term that is a sum over
            pixels or latents and enters as their mean. Defaults to `1`.
    """

    weight: Any
    value: Any
    size: int = 1


class LoggedMean(NamedTuple):
    """A number that is logged beside the terms, and is no part of the loss.

    Attributes:
        value: `[batch]`, or a scalar.
        share: How much each example counts in the mean, `[batch]` or a scalar, besides its sample
            weight. Defaults to `1.0`.
    """

    value: Any
    share: Any = 1.0


class Pass(NamedTuple):
    """One pass of a batch through a model.

    Attributes:
        output: `[batch, *event]`. What metrics that were given to `compile` compare with the input.
        terms: `{name: Term}`.
        logged: `{name: LoggedMean}`.
        update: Function without arguments that a training step calls once it has the loss: it
            changes what no gradient does. Defaults to `None`: there is nothing such.
    """

    output: Any
    terms: dict[str, Term]
    logged: dict[str, LoggedMean]
    update: Callable[[], None] | None = None
