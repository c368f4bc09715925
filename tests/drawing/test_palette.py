"""Tests of the palette: what is apart for all readers, and stands out from white."""

import itertools

import numpy as np
import pytest
from matplotlib.colors import to_rgb

from keras_vae import drawing
from keras_vae.drawing.palette import TINTS

# Of linear RGB, at full severity: Machado et al., "A Physiologically-based Model for Simulation of
# Color Vision Deficiency" (2009).
VISION = {
    "normal": np.eye(3),
    "protanopia": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "deuteranopia": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "tritanopia": [
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.303900],
    ],
}


def linear(colour):
    value = np.array(to_rgb(colour))
    return np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)


def oklab(rgb):
    """Ottosson's Oklab, in which distances are as they are seen."""
    cones = [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ]
    lab = [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ]
    return np.array(lab) @ np.cbrt(np.array(cones) @ np.clip(rgb, 0, 1))


@pytest.mark.parametrize("vision", VISION)
def test_no_two_colours_are_taken_for_each_other(vision):
    seen = [oklab(np.array(VISION[vision]) @ linear(colour)) for colour in drawing.PALETTE]
    apart = [np.linalg.norm(one - other) for one, other in itertools.combinations(seen, 2)]
    # The nearest two of matplotlib's tab10 are 0.007 apart for protanopes.
    assert min(apart) > 0.07


def test_every_colour_stands_out_from_white():
    luminance = np.array([linear(colour) @ [0.2126, 0.7152, 0.0722] for colour in drawing.PALETTE])
    # As WCAG counts contrast; pure yellow has 1.07.
    assert (1.05 / (luminance + 0.05)).min() > 2.2


def test_tints_are_lighter_than_what_they_are_of():
    assert len(TINTS) == len(drawing.PALETTE) == 10
    for tint, colour in zip(TINTS, drawing.PALETTE, strict=True):
        assert (np.array(to_rgb(tint)) > np.array(to_rgb(colour)) - 1 / 255).all()
