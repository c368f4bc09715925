"""A part of a model by its name, or as it is."""

from collections.abc import Mapping


def part_of(identifier, argument: str, known: Mapping, fits: bool):
    """The part of that name, or the part itself.

    Args:
        identifier: What was given.
        argument: As what.
        known: `{name: class}`.
        fits: Bool. Whether what was given is such a part.

    Raises:
        ValueError: If it is neither.
    """
    if isinstance(identifier, str) and identifier in known:
        return known[identifier]()
    if fits:
        return identifier
    raise ValueError(
        f"Invalid value for argument `{argument}`. Expected one of {sorted(known)} or a {argument} "
        f"layer with a `distribution` method. Received: {argument}={identifier!r}"
    )
