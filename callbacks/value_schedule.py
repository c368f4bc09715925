"""Changes one number of a model as training goes on."""

import math
from collections.abc import Callable

from keras_vae.arguments import count, invalid, number
from keras_vae.callbacks.helpers.run_callback import RunCallback

_SIGMOID_STEEPNESS = 12.0


class ValueSchedule(RunCallback):
    """Sets a variable of the model, before every batch, to a function of the training step.

    With t steps taken since the optimizer was made, T those of the warm-up and s = min(t / T, 1),
    the value is start + f(s) * (end - start), where f is

    - `"linear"`: s;
    - `"cosine"`: (1 - cos(pi s)) / 2;
    - `"sigmoid"`: the logistic function of 12 (s - 1/2), stretched to go from 0 to 1 (the shape
      in Bowman et al., "Generating Sentences from a Continuous Space", 2016, figure 2);
    - `"cyclical"`: `num_cycles` equal cycles, each a linear rise in its first part, `rise`, and 1
      in the rest (Fu et al., "Cyclical Annealing Schedule", 2019, equations 6 and 7), and 1 after
      the last;

    or it is any function of t. It depends on nothing else, so a run that resumes from a saved model
    with its optimizer goes on where it was. With `steps_per_execution` above 1 all steps of an
    execution have the value of its first.

    The value is added to the epoch's `logs` under the attribute's name, unless the model logs it
    itself. Place the schedule before callbacks that read it there.

    Args:
        attribute: Name of the model's attribute: a scalar variable, or a property with a setter.
        schedule: `"linear"`, `"cosine"`, `"sigmoid"`, `"cyclical"`, or a function from the number
            of steps taken to a number, for example a
            `keras.optimizers.schedules.LearningRateSchedule`. Defaults to `"linear"`.
        start: Float. The value of the first step. Defaults to `0.0`.
        end: Float. The value from the end of the warm-up on. Defaults to `1.0`.
        warmup_steps: Int. Length of the warm-up in steps, for `"cyclical"` of all cycles together.
            Defaults to `None`.
        warmup_epochs: Float. The same in epochs, of as many steps as the first epoch of this `fit`.
            Defaults to `None`. One of the two is needed, unless `schedule` is a function.
        num_cycles: Int. Of `"cyclical"`. Defaults to `4`.
        rise: Float in (0, 1]. The part of a cycle in which the value rises. Defaults to `0.5`.

    Raises:
        ValueError: If an argument is invalid; at the start of training, if the model has no such
            attribute, or a plain number, or if `warmup_epochs` is given and the data do not tell
            how many steps an epoch has; and if a function's value is no finite number.
    """

    _least = -math.inf

    def __init__(
        self,
        attribute: str,
        schedule: str | Callable[[int], float] = "linear",
        start: float = 0.0,
        end: float = 1.0,
        warmup_steps: int | None = None,
        warmup_epochs: float | None = None,
        num_cycles: int = 4,
        rise: float = 0.5,
    ):
        super().__init__()
        _check_warmup(schedule, warmup_steps, warmup_epochs)
        if not isinstance(attribute, str) or not attribute.isidentifier():
            raise invalid("attribute", 'the name of an attribute, such as "beta"', attribute)
        self.attribute = attribute
        self.schedule = schedule
        self.start = number("start", start, self._least)
        self.end = number("end", end, self._least)
        self.warmup_steps = warmup_steps
        self.warmup_epochs = warmup_epochs
        self.num_cycles = count("num_cycles", num_cycles)
        self.rise = number("rise", rise)
        if not 0 < self.rise <= 1:
            raise invalid("rise", "a number in (0, 1]", rise)

    def value(self, step: int) -> float:
        """The value after so many steps.

        Args:
            step: Int. Training steps taken, 0 before the first.

        Raises:
            ValueError: If the value is no finite number, or `warmup_epochs` is given and no
                training has begun, which tells how many steps an epoch has.
        """
        if callable(self.schedule):
            value = self.schedule(step)
        else:
            if self.warmup_steps is None:
                raise ValueError(
                    "How many steps `warmup_epochs` are is known when training begins. Pass "
                    "`warmup_steps` to ask before."
                )
            shape = _SHAPES[self.schedule](self, min(step / self.warmup_steps, 1.0))
            value = self.start + shape * (self.end - self.start)
        try:
            return number(self.attribute, value, self._least)
        except ValueError as error:
            least = "" if self._least == -math.inf else f" of at least {self._least:g}"
            raise ValueError(
                f"The schedule of `{self.attribute}` must give finite numbers{least}. "
                f"Received: {value} at step {step}"
            ) from error

    def begin_run(self):
        """Checks that the model's attribute can be set and how long the warm-up is."""
        self._check_attribute()
        if self.warmup_epochs is not None:
            steps = self.params.get("steps")
            if not steps:
                raise ValueError(
                    "`warmup_epochs` needs data of known length, and these do not tell how many "
                    "steps an epoch has. Pass `warmup_steps`, or `steps_per_epoch` to `fit`."
                )
            self.warmup_steps = max(1, round(self.warmup_epochs * steps))
        self._current = None

    def on_train_batch_begin(self, batch, logs=None):
        """Sets the value of the next step."""
        value = self.value(self.step)
        # After the warm-up there is nothing to do.
        if value != self._current:
            self._set(value)
            self._current = value

    def next_look(self, step: int) -> float:
        """The next step, for which there is another value to set, until the warm-up ends."""
        return math.inf if self.warmup_steps is not None and step >= self.warmup_steps else step + 1

    def after_epoch(self, epoch: int, logs: dict):
        """Adds the value to the logs of a model that does not."""
        if self._current is not None:
            logs.setdefault(self.attribute, self._current)

    def _set(self, value):
        current = getattr(self.model, self.attribute)
        if hasattr(current, "assign"):
            current.assign(value)
        else:
            setattr(self.model, self.attribute, value)

    def _check_attribute(self):
        name, model = self.attribute, type(self.model).__name__
        advice = (
            f"Make it a variable in the model's constructor: `self.{name} = "
            f'self.add_weight(shape=(), initializer="zeros", trainable=False, name="{name}")`.'
        )
        if not hasattr(self.model, name):
            raise ValueError(f"{model} has no attribute `{name}` to schedule. {advice}")
        current = getattr(self.model, name)
        is_property = getattr(getattr(type(self.model), name, None), "fset", None) is not None
        if not hasattr(current, "assign") and not is_property:
            raise ValueError(
                f"`{name}` of {model} is {current!r}, a value that compiling builds into the "
                f"training step, so a change would have no effect. {advice}"
            )
        if getattr(current, "shape", ()) != ():
            raise ValueError(
                f"`{name}` of {model} must be a scalar. Received: shape {tuple(current.shape)}"
            )


def _cyclical(schedule, progress):
    if progress >= 1:
        return 1.0
    within_cycle = progress * schedule.num_cycles % 1.0
    return min(within_cycle / schedule.rise, 1.0)


def _sigmoid(schedule, progress):
    low = _logistic(-_SIGMOID_STEEPNESS / 2)
    return (_logistic(_SIGMOID_STEEPNESS * (progress - 0.5)) - low) / (1 - 2 * low)


def _logistic(x):
    return 1 / (1 + math.exp(-x))


_SHAPES = {
    "linear": lambda schedule, progress: progress,
    "cosine": lambda schedule, progress: (1 - math.cos(math.pi * progress)) / 2,
    "sigmoid": _sigmoid,
    "cyclical": _cyclical,
}


def _check_warmup(schedule, warmup_steps, warmup_epochs):
    lengths = {"warmup_steps": warmup_steps, "warmup_epochs": warmup_epochs}
    given = {name: length for name, length in lengths.items() if length is not None}
    received = f"Received: warmup_steps={warmup_steps!r}, warmup_epochs={warmup_epochs!r}"
    if callable(schedule):
        if given:
            raise ValueError(
                f"A schedule that is a function has no warm-up besides its own. {received}"
            )
        return
    if not isinstance(schedule, str) or schedule not in _SHAPES:
        raise invalid("schedule", f"one of {list(_SHAPES)} or a function of the step", schedule)
    if len(given) != 1:
        raise ValueError(
            "Pass how long the warm-up is, either as `warmup_steps` or as `warmup_epochs`. "
            f"{received}"
        )
    for name, length in given.items():
        if number(name, length) <= 0:
            raise invalid(name, "a number greater than 0", length)
