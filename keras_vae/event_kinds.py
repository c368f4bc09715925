"""What an event is by its shape: an image, a series or a row of a table."""

# An event [a, b] of so many columns or fewer, and at least twice as many rows, is no image.
MOST_FEATURES = 7
# More numbers than these are no row that anybody looks at, but an image that was flattened.
MOST_COLUMNS = 64


def event_kind(shape: tuple[int, ...]) -> str:
    """How an event is drawn.

    Args:
        shape: Of one event.

    Returns:
        `"images"` of `[height, width, channels]` with 1 or 3 channels and of grey `[height,
        width]`; `"series"` of `[time, features]` with up to 7 features and at least twice as many
        steps; `"rows"` of up to 64
        `[columns]`.

    Raises:
        ValueError: If it is none of them.
    """
    shape = tuple(shape)
    if len(shape) == 1 and shape[0] <= MOST_COLUMNS:
        return "rows"
    if len(shape) == 2:
        is_series = shape[1] <= MOST_FEATURES and shape[0] >= 2 * shape[1]
        return "series" if is_series else "images"
    if len(shape) == 3 and shape[-1] in (1, 3):
        return "images"
    raise ValueError(
        "A picture shows images [n, height, width, channels] with 1 or 3 channels or grey [n, "
        f"height, width], series [n, time, features] of up to {MOST_FEATURES} features, or rows "
        f"[n, columns] of up to {MOST_COLUMNS}. Received: events of shape {shape}."
    )
