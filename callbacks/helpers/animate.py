"""Turns a folder of pictures into an animation."""

import os
import re
from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from keras_vae import drawing
from keras_vae.arguments import number
from keras_vae.files import write_whole


def animate(
    folder: str | os.PathLike,
    output: str | os.PathLike | None = None,
    duration: float = 0.3,
    pattern: str = "*.png",
) -> Path:
    """Turns a folder of pictures into a GIF that repeats forever.

    Frames are in the order of the numbers in the files' names, each under a line that says which
    epoch or step it is. Smaller pictures are padded in white. The GIF is written whole or not at
    all.

    Args:
        folder: Folder of pictures, such as `"runs/mnist/reconstructions"`.
        output: The file to write. Defaults to `None`: beside the folder and named after it, such
            as `"runs/mnist/reconstructions.gif"`.
        duration: Float. Seconds that each picture stays, at least 0.02. Defaults to `0.3`.
        pattern: Which files. Defaults to `"*.png"`.

    Returns:
        The path of the GIF.

    Raises:
        ValueError: If `duration` is too short.
        FileNotFoundError: If there is no such folder, or no such file in it.
        OSError: If a file is not a picture, or the GIF cannot be written.

    Example:
    >>> grid = keras_vae.callbacks.ReconstructionGrid(test_images[:10], "runs/mnist")
    >>> model.fit(images, callbacks=[grid])
    >>> keras_vae.callbacks.animate("runs/mnist/reconstructions")
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise FileNotFoundError(f"There is no folder {str(folder)!r} to animate.")
    paths = sorted(folder.glob(pattern), key=natural_order)
    if not paths:
        raise FileNotFoundError(
            f"There are no pictures {pattern!r} in {str(folder)!r} to animate. Pass the folder "
            "that a callback wrote pictures into, such as 'runs/mnist/reconstructions'."
        )
    return animate_files(paths, output or folder.parent / f"{folder.name}.gif", duration)


def animate_files(paths: Sequence[Path], output: str | os.PathLike, duration: float = 0.3) -> Path:
    """Turns picture files into a GIF, in their order; otherwise as `animate`."""
    # Viewers take anything faster for a mistake, and slow it down.
    duration = number("duration", duration, least=0.02)
    pictures = []
    for path in paths:
        with Image.open(path) as picture:
            picture.load()
        pictures.append(picture)
    captions = [_caption(path.stem) for path in paths]
    write_whole(output, drawing.gif(pictures, duration, captions))
    return Path(output)


def natural_order(path):
    """A key by which `epoch_2` comes before `epoch_10`."""
    parts = re.split(r"(\d+)", path.name)
    return [(int(part), "") if part.isdigit() else (-1, part) for part in parts]


def _caption(stem):
    """`epoch_0003` as `epoch 3`."""
    return re.sub(r"_?0*(\d+)", r" \1", stem).strip()
