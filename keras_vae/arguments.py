"""Checks of arguments that many functions take: one form of check, one form of error."""

import math
import numbers
import os
from collections.abc import Collection, Iterable, Mapping

import numpy as np


def count(argument: str, value, least: int = 1) -> int:
    """An argument that counts something, as an int.

    Args:
        argument: The argument's name.
        value: What was given; NumPy's integers are fine, booleans and floats are not.
        least: Int. The least that makes sense. Defaults to `1`.

    Raises:
        ValueError: If it is no integer, or less than `least`.
    """
    expected = "a positive integer" if least == 1 else f"an integer of at least {least}"
    if not _is_integer(value) or value < least:
        raise invalid(argument, expected, value)
    return int(value)


def counts(argument: str, values) -> tuple[int, ...]:
    """A sequence of positive integers, such as the units of layers.

    Raises:
        ValueError: If it is no sequence, or one of them is no positive integer.
    """
    is_sequence = isinstance(values, Iterable) and not isinstance(values, str | bytes | Mapping)
    values = list(values) if is_sequence else values
    if not is_sequence or not all(_is_integer(value) and value >= 1 for value in values):
        raise invalid(argument, "a sequence of positive integers, such as [100, 100]", values)
    return tuple(int(value) for value in values)


def seed(argument: str, value) -> int:
    """A seed, an integer from 0 to 2**31 - 1.

    Raises:
        ValueError: If it is anything else.
    """
    if not _is_integer(value) or not 0 <= value < 2**31:
        raise invalid(argument, "an integer from 0 to 2**31 - 1", value)
    return int(value)


def one_of(argument: str, value, choices: Collection[str]) -> str:
    """A name out of several.

    Raises:
        ValueError: If it is none of them.
    """
    if not isinstance(value, str) or value not in choices:
        raise invalid(argument, f"one of {list(choices)}", value)
    return value


def share(argument: str, value) -> float:
    """A number between 0 and 1, without both.

    Raises:
        ValueError: If it is anything else.
    """
    if not _is_number(value) or not 0 < value < 1:
        raise invalid(argument, "a number between 0 and 1", value)
    return float(value)


def number(argument: str, value, least: float = -math.inf) -> float:
    """A finite number that single precision can hold.

    Args:
        argument: The argument's name.
        value: What was given: a number, or a scalar array or variable; no boolean, no string.
        least: Float. The least that makes sense. Defaults to minus infinity.

    Raises:
        ValueError: If it is no such number, or less than `least`.
    """
    expected = "a finite number" + (f" of at least {least:g}" if least > -math.inf else "")
    try:
        is_number = not isinstance(value, bool | np.bool_ | str | bytes)
        converted = float(value) if is_number else math.nan
    except (TypeError, ValueError, OverflowError):
        converted = math.nan
    # Larger ones become infinite where they are used; none of this is true of NaN.
    limit = float(np.finfo(np.float32).max)
    if not max(least, -limit) <= converted <= limit:
        raise invalid(argument, expected, value)
    return converted


def positive(argument: str, value) -> float:
    """A finite number above 0.

    Raises:
        ValueError: If it is anything else.
    """
    if not _is_number(value) or not 0 < value < math.inf:
        raise invalid(argument, "a positive number", value)
    return float(value)


def flag(argument: str, value) -> bool:
    """An argument that is true or false, so that `"no"` is not taken for yes.

    Raises:
        ValueError: If it is no boolean.
    """
    if not isinstance(value, bool | np.bool_):
        raise invalid(argument, "`True` or `False`", value)
    return bool(value)


def path(argument: str, value) -> str | os.PathLike:
    """A path, as it was given.

    Raises:
        ValueError: If it is neither a string nor a path, or an empty string.
    """
    if not isinstance(value, str | os.PathLike) or value == "":
        if hasattr(value, "shape"):
            received = f"an array of shape {tuple(value.shape)}"
            raise ValueError(
                f"Invalid value for argument `{argument}`. Expected a path. Received: {received}"
            )
        raise invalid(argument, "a path", value)
    return value


def sampler(value):
    """Raises a `ValueError` for what has no method `sample`."""
    if not callable(getattr(value, "sample", None)):
        expected = "an object with a method `sample(n, seed)`, such as one of keras_vae.samplers"
        raise invalid("sampler", expected, value)


def unused(owner: str, given: Mapping, *names: str):
    """Refuses arguments that would do nothing.

    Args:
        owner: Of what class.
        given: Its keyword arguments.
        names: Those that it makes no use of; 0 and `None` may be given.

    Raises:
        ValueError: If one of them is given.
    """
    for name in names:
        if given.get(name):
            raise ValueError(
                f"`{name}` has no effect on the loss of {owner}. Leave it out. "
                f"Received: {name}={given[name]!r}"
            )


def invalid(argument: str, expected: str, value) -> ValueError:
    """The error that says what an argument should have been; for the caller to raise."""
    return ValueError(
        f"Invalid value for argument `{argument}`. Expected {expected}. "
        f"Received: {argument}={value!r}"
    )


def _is_integer(value):
    return isinstance(value, numbers.Integral) and not isinstance(value, bool | np.bool_)


def _is_number(value):
    return isinstance(value, numbers.Real) and not isinstance(value, bool | np.bool_)
