"""The parts of a sum in one line, however many there are."""

import math
from collections.abc import Mapping

_LONGEST_NUMBER = len("-1.234e+10")


def parts_line(parts: Mapping[str, float], width: int) -> str:
    """`name: value - name: value`, and the smallest as one sum where there is no room for all.

    Args:
        parts: `{name: value}`. Those with most to add are shown, in the order that they have here;
            NaN is among them.
        width: Int. Characters that there is room for.
    """
    texts = {name: f"{_in_one_line(name)}: {value:.4g}" for name, value in parts.items()}
    whole = " - ".join(texts.values())
    if len(whole) <= width:
        return whole
    room = width - len(f"{len(parts)} others: ") - _LONGEST_NUMBER
    shown = set()
    for name in sorted(parts, key=lambda name: _size(parts[name]), reverse=True):
        needed = len(texts[name]) + len(" - ")
        if needed <= room:
            room -= needed
            shown.add(name)
    rest = [value for name, value in parts.items() if name not in shown]
    texts["rest"] = f"{len(rest)} others: {sum(rest):.4g}"
    return " - ".join([*(texts[name] for name in parts if name in shown), texts["rest"]])


def _size(value):
    return math.inf if math.isnan(value) else value


def _in_one_line(name):
    return " ".join(name.split())
