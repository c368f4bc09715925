"""How scores of several kinds of examples are distributed, above each other's."""

from collections.abc import Mapping, Sequence

import numpy as np
from PIL import Image

from keras_vae.drawing.chart import Chart
from keras_vae.drawing.palette import PALETTE


def score_distributions(
    scores: Mapping[str, Sequence[float]],
    label: str = "score (nats)",
    threshold: float | None = None,
    bins: int = 60,
    size: tuple[int, int] = (640, 440),
) -> Image.Image:
    """One outline a kind of examples: the share of its scores in each of some bins.

    The axis ends where nine tenths of each kind's scores do, but no further than five times as far
    out as those of the first kind, because those of strangers may be any number of times greater;
    those beyond count for the bin at the end.

    Args:
        scores: `{kind: [n]}`, finite; first the kind that others are compared with.
        label: What the scores are, with their unit. Defaults to `"score (nats)"`.
        threshold: Float. Where an alarm is raised, drawn as a line. Defaults to `None`: no line.
        bins: Int. How many. Defaults to `60`.
        size: Width and height in pixels. Defaults to `(640, 440)`.

    Returns:
        A picture, RGB.

    Raises:
        ValueError: If there are no scores, or one is not finite.
    """
    arrays = {name: np.asarray(values, float) for name, values in scores.items()}
    if not arrays or not all(len(a) and np.isfinite(a).all() for a in arrays.values()):
        raise ValueError(
            "Expected finite scores of one or more kinds of examples. Received: "
            f"{ {name: f'{len(values)} scores' for name, values in arrays.items()} }"
        )
    ends = [np.quantile(values, (0.0, 0.9)) for values in arrays.values()]
    low, high = min(end[0] for end in ends), max(end[1] for end in ends)
    if ends[0][1] > ends[0][0]:
        high = min(high, ends[0][0] + 5 * (ends[0][1] - ends[0][0]))
    edges = np.linspace(low, high if high > low else low + 1, bins + 1)
    chart, highest = Chart(size), 0
    for index, (name, values) in enumerate(arrays.items()):
        counts, _ = np.histogram(np.clip(values, edges[0], edges[-1]), edges)
        shares = 100 * counts / len(values)
        highest = max(highest, shares.max())
        style = {"color": PALETTE[index % len(PALETTE)], "linewidth": 1.5, "label": name}
        chart.line(name, edges, [*shares, shares[-1]], drawstyle="steps-post", **style)
    if threshold is not None:
        style = {"color": "black", "linewidth": 1.2, "linestyle": "--", "label": "threshold"}
        chart.line("threshold ", [threshold, threshold], [0, highest], **style)
        edges = np.append(edges, threshold)
    chart.scale("x", edges.min(), edges.max(), False, label)
    chart.scale("y", 0, highest, False, "examples of a kind (%)")
    return chart.picture()
