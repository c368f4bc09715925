"""Tests of traversals, with a decoder whose image tells the code that it was given."""

import os

import numpy as np
import pytest
from PIL import Image

from keras_vae import drawing
from keras_vae.callbacks.latent_traversal import LatentTraversal

SCALES = np.array([0.5, 0.01, 1.0], np.float32)


def telling_images(codes):
    """Images of 4x4 whose first pixels are the code, from -2 (black) to 2 (white)."""
    images = np.zeros((len(codes), 16), np.float32)
    images[:, : codes.shape[1]] = codes / 4 + 0.5
    return images.reshape(-1, 4, 4, 1)


def encode(images):
    """Means 0.5, 0.25, 0 and standard deviations that give latent 1 the largest KL."""
    loc = np.tile(np.array([0.5, 0.25, 0.0], np.float32), (len(images), 1))
    return loc, np.broadcast_to(2 * np.log(SCALES), loc.shape)


@pytest.fixture
def drawn(monkeypatch):
    """What is drawn: arguments of `drawing.event_grid`, with the codes that the images tell."""
    calls = []
    original = drawing.event_grid

    def record(cells, row_labels=None, **options):
        codes = (cells.reshape(*cells.shape[:2], -1)[..., :3] - 0.5) * 4
        calls.append({"codes": codes, "row_labels": row_labels, **options})
        return original(cells, row_labels, **options)

    monkeypatch.setattr(drawing, "event_grid", record)
    return calls


def run(make_vae, data, folder, epochs=1, initial_epoch=0, **options):
    options = {"num_steps": 3, "encode": encode, "decode": telling_images, **options}
    options = {"limits": (-1, 1), **options} if "quantiles" not in options else options
    traversal = LatentTraversal(folder, latent_dim=3, **options)
    make_vae(eager=True).fit(
        data, epochs=epochs, initial_epoch=initial_epoch, verbose=0, callbacks=[traversal]
    )
    return traversal


def assert_codes(call, expected):
    np.testing.assert_allclose(call["codes"], np.asarray(expected, float), atol=1e-6)


def test_around_the_prior_mean(make_vae, images, tmp_path, drawn):
    run(make_vae, images, tmp_path, latents=(2, 0))
    low, high = -np.eye(3), np.eye(3)
    # By the KL of what the model makes.
    assert_codes(drawn[0], [[low[k], 0 * low[k], high[k]] for k in (1, 0, 2)])
    assert_codes(drawn[1], [[[x, 0, y] for x in (-1, 0, 1)] for y in (-1, 0, 1)])
    for name in ("latents", "grid"):
        with Image.open(tmp_path / f"traversals/{name}/epoch_0001.png") as picture:
            assert np.ptp(np.asarray(picture)) == 255


def test_around_an_image(make_vae, images, tmp_path, drawn):
    run(make_vae, images, tmp_path, around=images[0], limits=(-2, 1), latents=(0, 1))
    loc = np.array([0.5, 0.25, 0.0])
    rows = np.tile(loc, (3, 3, 1))
    for row, latent in enumerate((1, 0, 2)):
        rows[row, :, latent] = [-2, -0.5, 1]
    assert_codes(drawn[0], rows)
    assert_codes(drawn[1], [[[y, x, 0] for x in (-2, -0.5, 1)] for y in (-2, -0.5, 1)])
    assert drawn[0]["title"].endswith("the others stay at the code of an image")


def kl_of_each_latent():
    loc = np.array([0.5, 0.25, 0.0])
    return 0.5 * (loc**2 + SCALES**2 - 1 - 2 * np.log(SCALES))


@pytest.mark.parametrize("given", [True, False], ids=["of images", "of the model's own"])
def test_rows_are_sorted_by_kl_and_the_grid_has_the_first_two(
    given, make_vae, images, tmp_path, drawn
):
    run(make_vae, images, tmp_path, images=images if given else None, num_rows=2)
    kl = kl_of_each_latent()
    latents, grid = drawn
    assert latents["row_labels"] == [f"z1  KL {kl[1]:.2f}", f"z0  KL {kl[0]:.2f}"]
    assert ("20 images" if given else "64 samples of the model") in latents["title"]
    assert_codes(latents, [[-np.eye(3)[k], np.zeros(3), np.eye(3)[k]] for k in (1, 0)])
    assert_codes(grid, [[[x, y, 0] for x in (-1, 0, 1)] for y in (-1, 0, 1)])
    assert grid["row_title"] == f"z1  KL {kl[1]:.2f}"
    assert grid["column_title"].startswith(f"z0  KL {kl[0]:.2f}")
    assert latents["column_labels"] == grid["column_labels"] == ["-1.0", "0.0", "1.0"]
    assert grid["row_labels"] == ["-1.0", "0.0", "1.0"]


def test_without_arguments_walks_where_the_prior_is(make_vae, images, tmp_path):
    traversal = LatentTraversal(tmp_path)
    np.testing.assert_allclose(traversal.traversal.values[[0, -1]], [-2.5, 2.5])
    np.testing.assert_array_equal(traversal.traversal.grid_values, traversal.traversal.values)


def test_the_grid_has_limits_of_its_own(make_vae, images, tmp_path, drawn):
    run(make_vae, images, tmp_path, limits=None, grid_limits=(-1, 1), latents=(0, 1))
    assert_codes(
        drawn[0], [[-2.5 * np.eye(3)[k], np.zeros(3), 2.5 * np.eye(3)[k]] for k in (1, 0, 2)]
    )
    assert_codes(drawn[1], [[[y, x, 0] for x in (-1, 0, 1)] for y in (-1, 0, 1)])


def in_their_order():
    return [[-np.eye(3)[k], np.zeros(3), np.eye(3)[k]] for k in range(3)]


def test_without_standard_deviations_rows_keep_their_order(make_vae, images, tmp_path, drawn):
    run(make_vae, images, tmp_path, images=images, encode=lambda x: encode(x)[0])
    assert_codes(drawn[0], in_their_order())
    assert drawn[0]["row_labels"] == ["z0", "z1", "z2"]
    assert "in their order" in drawn[0]["title"]


def test_own_samples_that_the_encoder_does_not_take_are_one_warning(
    make_vae, images, tmp_path, drawn
):
    def only_tables(x):
        raise ValueError("wants a table")

    with pytest.warns(UserWarning, match="Pass `images=`.*wants a table") as warned:
        run(make_vae, images, tmp_path, epochs=2, encode=only_tables)
    assert sum("wants a table" in str(warning.message) for warning in warned) == 1
    assert_codes(drawn[2], in_their_order())


def test_tables_and_scaled_images_are_only_encoded(make_vae, images, tmp_path, drawn):
    data = np.random.default_rng(0).uniform(-0.5, 0.5, (20, 7)).astype(np.float32)
    run(make_vae, images, tmp_path, images=data, around=data[0])
    assert drawn[0]["row_labels"][0] == f"z1  KL {kl_of_each_latent()[1]:.2f}"


def test_quantiles_are_those_of_the_prior(tmp_path):
    values = LatentTraversal(tmp_path, quantiles=(0.05, 0.95), num_steps=3).traversal.values
    np.testing.assert_allclose(values, [-1.644854, 0, 1.644854], atol=1e-6)
    values = LatentTraversal(tmp_path, quantiles=(0.1, 0.7), num_steps=3).traversal.values
    np.testing.assert_allclose(values, [-1.281552, -0.253347, 0.524401], atol=1e-6)


def test_gif_of_the_run(make_vae, images, tmp_path):
    stale = tmp_path / "traversals/latents"
    run(make_vae, images, tmp_path, epochs=4)
    (stale / "epoch_0001.png").unlink()
    vae = make_vae(eager=True)
    brightness = iter(np.linspace(0, 1, 100))
    traversal = LatentTraversal(
        tmp_path,
        latent_dim=3,
        num_steps=2,
        gif=True,
        decode=lambda codes: np.full((len(codes), 4, 4, 1), next(brightness), np.float32),
    )
    vae.fit(images, epochs=3, verbose=0, callbacks=[traversal])
    # The fourth epoch is of the longer run before.
    for name in ("latents", "grid"):
        with Image.open(tmp_path / f"traversals/{name}.gif") as animation:
            assert animation.n_frames == 3
            with Image.open(tmp_path / f"traversals/{name}/epoch_0003.png") as picture:
                assert animation.width == picture.width
                assert animation.height > picture.height
    assert "epoch_0004.png" in os.listdir(stale)


def test_gif_of_a_long_run_has_a_hundred_frames(make_vae, images, tmp_path):
    folder = tmp_path / "traversals/latents"
    folder.mkdir(parents=True)
    for epoch in range(1, 150):
        Image.new("L", (4, 4), epoch).save(folder / f"epoch_{epoch:04d}.png")
    run(make_vae, images, tmp_path, gif=True, initial_epoch=149, epochs=150)
    with Image.open(tmp_path / "traversals/latents.gif") as animation:
        assert animation.n_frames == 100


def test_model_with_a_single_latent_has_no_grid(make_vae, images, tmp_path):
    traversal = LatentTraversal(tmp_path)
    make_vae(latent_dim=1, eager=True).fit(images, verbose=0, callbacks=[traversal])
    assert os.listdir(tmp_path / "traversals") == ["latents"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"latents": (1, 1)}, r"two different latents.*latents=\(1, 1\)"),
        ({"latents": (0, -1)}, r"latents=\(0, -1\)"),
        ({"latents": (0, 1, 2)}, r"latents=\(0, 1, 2\)"),
        ({"latents": 3}, "two different latents.*latents=3"),
        ({"num_steps": 1}, "num_steps=1"),
        ({"num_rows": 0}, "num_rows=0"),
        ({"limits": (1, -1)}, r"the smaller first. Received: limits=\(1, -1\)"),
        ({"limits": (0, np.inf)}, "limits="),
        ({"limits": (-1, 0, 1)}, r"two numbers.*limits=\(-1, 0, 1\)"),
        ({"limits": ("a", "b")}, r"two numbers.*limits=\('a', 'b'\)"),
        ({"quantiles": 0.5}, "two probabilities.*quantiles=0.5"),
        ({"quantiles": (0.0, 0.9)}, r"between 0 and 1.*quantiles=\(0.0, 0.9\)"),
        ({"limits": (-1, 1), "quantiles": (0.1, 0.9)}, "not both"),
        ({"around": np.zeros((4, 4, 1), np.uint8)}, "`around`"),
        ({"images": np.zeros((4, 4), np.uint8)}, "`images`"),
        ({"images": np.full((2, 4), np.nan)}, "`images`. Expected finite numbers"),
        ({"grid_limits": (1, -1)}, r"grid_limits=\(1, -1\)"),
        ({"gif": "no"}, "`gif`. Expected `True` or `False`"),
    ],
)
def test_invalid_arguments(options, message):
    with pytest.raises(ValueError, match=message):
        LatentTraversal("run", **options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"latents": (0, 2)}, "no latent 2 in a model with 2 latents"),
        ({"latent_dim": 3}, r"Codes of shape \(3,\) do not fit the model"),
        ({"images": np.zeros((1, 5, 5, 1), np.float32)}, r"Images of shape \(5, 5, 1\) do not fit"),
        ({"around": np.zeros((5, 5, 1), np.float32)}, r"Images of shape \(5, 5, 1\) do not fit"),
    ],
)
def test_errors_at_the_start_of_training(options, message, make_vae, images, tmp_path):
    with pytest.raises(ValueError, match=message):
        make_vae(eager=True).fit(
            images, verbose=0, callbacks=[LatentTraversal(tmp_path / "run", **options)]
        )
    assert os.listdir(tmp_path) == []
