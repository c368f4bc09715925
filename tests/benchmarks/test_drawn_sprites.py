"""Tests that published PyTorch weights do in Keras what they do in PyTorch."""

import numpy as np
import pytest

LATENTS = 3


@pytest.fixture(scope="module")
def program(load_program):
    return load_program("benchmarks/drawn_sprites.py")


@pytest.fixture(scope="module")
def weights():
    """Random weights, small enough to keep activations near 1, in PyTorch's layouts."""
    generator = np.random.default_rng(0)
    shapes = {"encoder.conv1": (32, 1, 4, 4), "decoder.convT3": (32, 1, 4, 4)}
    names = ("encoder.conv2", "encoder.conv3", "encoder.conv_64")
    names += ("decoder.convT_64", "decoder.convT1", "decoder.convT2")
    shapes |= dict.fromkeys(names, (32, 32, 4, 4))
    shapes |= {"encoder.lin1": (256, 512), "encoder.lin2": (256, 256)}
    shapes |= {"encoder.mu_logvar_gen": (2 * LATENTS, 256), "decoder.lin1": (256, LATENTS)}
    shapes |= {"decoder.lin2": (256, 256), "decoder.lin3": (512, 256)}
    made = {}
    for name, shape in shapes.items():
        units = shape[1] if "convT" in name else shape[0]
        fan_in = np.prod(shape) / units
        made[f"{name}.weight"] = np.float32(generator.normal(0, fan_in**-0.5, shape))
        made[f"{name}.bias"] = np.float32(generator.normal(0, 0.3, units))
    return made


def convolve(x, kernel, bias):
    """As PyTorch's `conv2d` of stride 2, padding 1: `[in, h, w]`, kernel `[out, in, 4, 4]`."""
    padded = np.pad(x, ((0, 0), (1, 1), (1, 1)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (4, 4), (1, 2))[:, ::2, ::2]
    return np.einsum("ihwab,oiab->ohw", windows, kernel) + bias[:, None, None]


def convolve_transposed(x, kernel, bias):
    """As PyTorch's `conv_transpose2d`: every pixel adds a kernel `[in, out, 4, 4]`."""
    _, height, width = x.shape
    out = np.zeros((kernel.shape[1], 2 * height + 2, 2 * width + 2))
    for row in range(height):
        for column in range(width):
            rows, columns = slice(2 * row, 2 * row + 4), slice(2 * column, 2 * column + 4)
            out[:, rows, columns] += np.einsum("i,ioab->oab", x[:, row, column], kernel)
    return out[:, 1:-1, 1:-1] + bias[:, None, None]


def chain(weights, x, names, function):
    for name in names:
        x = np.maximum(function(x, weights[f"{name}.weight"], weights[f"{name}.bias"]), 0)
    return x


def linear(x, kernel, bias):
    return kernel @ x + bias


def test_the_encoder_is_the_same(program, weights):
    image = np.random.default_rng(1).random((1, 64, 64))
    names = [f"encoder.{name}" for name in ("conv1", "conv2", "conv3", "conv_64")]
    features = chain(weights, image, names, convolve).ravel()
    features = chain(weights, features, ["encoder.lin1", "encoder.lin2"], linear)
    last = "encoder.mu_logvar_gen"
    loc, log_variance = (
        linear(features, weights[f"{last}.weight"], weights[f"{last}.bias"]).reshape(-1, 2).T
    )
    encoder, _ = program.loaded(weights)
    posterior = encoder(image[..., None])
    np.testing.assert_allclose(posterior["loc"][0], loc, atol=1e-4)
    np.testing.assert_allclose(posterior["scale"][0], np.exp(log_variance / 2), rtol=1e-4)


def test_the_decoder_is_the_same(program, weights):
    code = np.random.default_rng(2).normal(size=LATENTS)
    features = chain(weights, code, [f"decoder.lin{index}" for index in (1, 2, 3)], linear)
    names = [f"decoder.{name}" for name in ("convT_64", "convT1", "convT2")]
    features = chain(weights, features.reshape(32, 4, 4), names, convolve_transposed)
    last = "decoder.convT3"
    logits = convolve_transposed(features, weights[f"{last}.weight"], weights[f"{last}.bias"])
    assert logits.std() > 0.05
    _, decoder = program.loaded(weights)
    np.testing.assert_allclose(decoder(code[None])[0, ..., 0], logits[0], atol=1e-4)


def test_drawn_frames_are_found_and_others_counted(program, capsys, monkeypatch):
    monkeypatch.setattr(program.itertools, "product", lambda *ranges: [(1, 5, 0), (2, 3, 7)])
    frames = program.render(np.array([[2, 3, 7, 4, 5], [1, 5, 0, 31, 0]]))
    frames[1, 0, :3] ^= True
    program.compare(frames.astype(np.uint8))
    assert "1 of 2 frames bit for bit; the others differ in 3 pixels" in capsys.readouterr().out
