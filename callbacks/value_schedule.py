"""Changes one number of a model as training goes on."""

import math
import operator
from collections.abc import Callable

import keras

from keras_vae.callbacks.helpers.step_counter import StepCounter

_SIGMOID_STEEPNESS = 12.0


class ValueSchedule(keras.callbacks.Callback):
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
            how many steps an epoch has; and if a function's value is not finite.
    """

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
        if not (math.isfinite(start) and math.isfinite(end)):
            raise ValueError(
                "Invalid value for arguments `start` and `end`. Expected finite numbers. "
                f"Received: start={start}, end={end}"
            )
        if operator.index(num_cycles) < 1 or not 0 < rise <= 1:
            raise ValueError(
                "Invalid value for arguments `num_cycles` and `rise`. Expected a positive integer "
                f"and a number in (0, 1]. Received: num_cycles={num_cycles}, rise={rise}"
            )
        self.attribute = attribute
        self.schedule = schedule
        self.start = float(start)
        self.end = float(end)
        self.warmup_steps = warmup_steps
        self.warmup_epochs = warmup_epochs
        self.num_cycles = num_cycles
        self.rise = float(rise)

    def value(self, step: int) -> float:
        """The value after so many steps.

        Args:
            step: Int. Training steps taken, 0 before the first.

        Raises:
            ValueError: If the value is not finite, or `warmup_epochs` is given and no training has
                begun, which tells how many steps an epoch has.
        """
        if callable(self.schedule):
            value = float(self.schedule(step))
        else:
            if self.warmup_steps is None:
                raise ValueError(
                    "How many steps `warmup_epochs` are is known when training begins. Pass "
                    "`warmup_steps` to ask before."
                )
            shape = _SHAPES[self.schedule](self, min(step / self.warmup_steps, 1.0))
            value = self.start + shape * (self.end - self.start)
        if not math.isfinite(value):
            raise ValueError(
                f"The schedule of `{self.attribute}` must give finite numbers. "
                f"Received: {value} at step {step}"
            )
        return value

    def on_train_begin(self, logs=None):
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
        self._steps = StepCounter()
        self._current = None

    def on_epoch_begin(self, epoch, logs=None):
        """Takes up the count of steps."""
        self._steps.begin_epoch(self.model)

    def on_train_batch_begin(self, batch, logs=None):
        """Sets the value of the next step."""
        value = self.value(self._steps.step)
        # After the warm-up there is nothing to do.
        if value != self._current:
            self._set(value)
            self._current = value

    def on_train_batch_end(self, batch, logs=None):
        """Counts steps."""
        self._steps.end_batch(self.model, batch)

    def on_epoch_end(self, epoch, logs=None):
        """Adds the value to the logs of a model that does not."""
        if logs is not None and self._current is not None:
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
    given = [warmup for warmup in (warmup_steps, warmup_epochs) if warmup is not None]
    received = f"Received: warmup_steps={warmup_steps}, warmup_epochs={warmup_epochs}"
    if callable(schedule):
        if given:
            raise ValueError(
                f"A schedule that is a function has no warm-up besides its own. {received}"
            )
        return
    if schedule not in _SHAPES:
        raise ValueError(
            f"Invalid value for argument `schedule`. Expected one of {list(_SHAPES)} or a function "
            f"of the step. Received: schedule={schedule!r}"
        )
    if len(given) != 1 or not (math.isfinite(given[0]) and given[0] > 0):
        raise ValueError(
            "Pass how long the warm-up is, either as `warmup_steps` or as `warmup_epochs`, greater "
            f"than 0. {received}"
        )
