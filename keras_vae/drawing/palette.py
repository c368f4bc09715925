"""The colours of all charts.

The ten of `PALETTE` stay apart for readers with any of the common colour blindnesses and stand out
from white. The first six are those of Okabe and Ito, "Color Universal Design" (2008), without
yellow.
"""

#: The colours of what is drawn in a chart, one after the other, as `#rrggbb`.
PALETTE = (
    "#0072b2",  # blue
    "#d55e00",  # vermilion
    "#009e73",  # green
    "#e69f00",  # orange
    "#cc79a7",  # pink
    "#56b4e9",  # sky blue
    "#661100",  # maroon
    "#332277",  # indigo
    "#8855ff",  # violet
    "#665555",  # grey
)
# Halfway to white, for what comes after the tenth.
TINTS = tuple(
    "#" + "".join(f"{(int(colour[i : i + 2], 16) + 255) // 2:02x}" for i in (1, 3, 5))
    for colour in PALETTE
)
MUTED = "#7a7a7a"
GRID = "#e4e4e4"
