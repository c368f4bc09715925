"""Tests of what a visitor does on a page, in a real browser, on small models."""

import base64
import io
import urllib.parse

import keras
import numpy as np
import pytest
from PIL import Image

import keras_vae
from keras_vae import networks
from keras_vae.objectives import ConditionalVAE, VampPriorVAE

# As wide as a plus.
MINUS = "\u2212"
SHAPE = (8, 8, 1)
LATENTS = 4


def random_weights(model, scale=0.7):
    """Gives a model weights that show: everything depends on everything."""
    random = np.random.default_rng(5)
    for network in (model.encoder, model.decoder):
        network.set_weights([random.normal(size=w.shape) * scale for w in network.get_weights()])
    return model


def small(cls=keras_vae.VAE, shape=SHAPE, latents=LATENTS, more=0, **arguments):
    keras.utils.set_random_seed(0)
    return random_weights(
        cls(
            networks.mlp_encoder(shape, latents, [12]),
            networks.mlp_decoder(shape, latents + more, [12]),
            **arguments,
        )
    )


def pictures(count, shape=SHAPE):
    return np.random.default_rng(2).random((count, *shape), dtype=np.float32)


@pytest.fixture(scope="module")
def visited(browser, tmp_path_factory):
    """Opens the page of a model, anew for whoever asks."""
    folder = tmp_path_factory.mktemp("pages")

    def visit(vae, fragment="", **arguments):
        path = folder / "page.html"
        vae.explore(path, overwrite=True, **arguments)
        browser.open(path, fragment)
        browser.settle()
        return vae

    return visit


@pytest.fixture(scope="module")
def plain(browser, tmp_path_factory):
    """A small model with the codes of thirty images of three classes, and its page's file."""
    path = tmp_path_factory.mktemp("plain") / "page.html"
    vae = small()
    vae.explore(path, pictures(30), np.arange(30) % 3, names=["tilt", None, "width", None])
    return vae, path


@pytest.fixture
def page(browser, plain):
    vae, path = plain
    browser.open(path)
    browser.settle()
    return vae


def slide(browser, place, value):
    """Drags a slider, as its events tell."""
    browser.run(
        "const input = document.querySelectorAll('#sliders input')[arguments[0]];"
        "input.value = arguments[1]; input.dispatchEvent(new Event('input'));",
        place,
        value,
    )
    browser.settle()


def seen(browser, selector="#picture canvas"):
    """The grey levels that a canvas shows, in [0, 1]."""
    pixels = browser.run(
        "const canvas = document.querySelector(arguments[0]);"
        "return Array.from(canvas.getContext('2d')"
        ".getImageData(0, 0, canvas.width, canvas.height).data)",
        selector,
    )
    return np.reshape(pixels, (-1, 4))[:, 0] / 255


def press(browser, selector, x, y, *moves):
    """Presses at shares of an element's box, moves to others, and lets go."""
    from selenium.webdriver import ActionChains

    target = browser.element(selector)
    browser.run("arguments[0].scrollIntoView({block: 'center'})", target)
    size = target.size

    def offset(at):
        return [round((share - 0.5) * side) for share, side in zip(at, size.values(), strict=True)]

    size = {"width": size["width"], "height": size["height"]}
    chain = ActionChains(browser.driver, duration=20)
    chain.move_to_element_with_offset(target, *offset((x, y))).click_and_hold()
    for move in moves:
        chain.move_to_element_with_offset(target, *offset(move))
    chain.release().perform()
    browser.settle()


# Sliders ----------------------------------------------------------------------------------------


def test_sliders_go_from_the_most_used_latent_down_with_their_names(browser, page):
    kl = page.kl_per_dimension(page.encode(pictures(30))).numpy().mean(axis=0)
    names = ["tilt", "z1", "width", "z3"]
    shown = [one.text for one in browser.elements("#sliders .name > span:first-child")]
    assert shown == [names[latent] for latent in np.argsort(-kl)]


def test_dragging_a_slider_moves_its_latent_and_the_picture(browser, page):
    before = browser.code()
    latent = browser.run("return explorer.data.latents[1].index")
    slide(browser, 1, 0.25)
    code = browser.code()
    assert abs(code[latent] - 0.25) < 0.02
    assert np.delete(code, latent) == pytest.approx(np.delete(before, latent))
    assert browser.elements("#sliders output")[1].text == f"{code[latent]:.2f}".replace("-", MINUS)
    expected = page.decode(code[None].astype("float32")).mean().numpy().ravel()
    assert np.abs(seen(browser) - expected).max() < 1 / 255


def test_a_slider_is_moved_by_keys_and_says_where_it_is(browser, page):
    from selenium.webdriver import Keys

    slide(browser, 0, 0.0)
    slider = browser.element("#sliders input")
    slider.send_keys(Keys.ARROW_RIGHT * 5)
    browser.settle()
    latent = browser.run("return explorer.data.latents[0]")
    step = (latent["high"] - latent["low"]) / 400
    moved = browser.code()[latent["index"]]
    assert moved == pytest.approx(5 * step, abs=1.5 * step)
    assert slider.get_attribute("aria-valuetext") == f"{moved:.2f}"
    assert "nats of KL" in slider.get_attribute("aria-label")


def test_a_double_click_puts_a_latent_back_to_the_priors_mean(browser, page):
    slide(browser, 0, 1.0)
    latent = browser.run("return explorer.data.latents[0].index")
    assert browser.code()[latent] > 0.9
    browser.run(
        "document.querySelector('#sliders input').dispatchEvent(new MouseEvent('dblclick'))"
    )
    browser.settle()
    assert browser.code()[latent] == 0


def test_unused_latents_are_folded_away(browser, visited):
    vae = small()
    weights = dict(zip([w.path for w in vae.encoder.weights], vae.encoder.weights, strict=True))
    for path, weight in weights.items():
        # Latents 1 and 2 are the same for every image.
        if path.startswith("loc"):
            weight.assign(weight * np.array([1, 0, 0, 1]))
    visited(vae, images=pictures(30))
    assert browser.element("#sliders details summary").text == "2 unused latents"
    folded = browser.elements("#sliders details .name > span:first-child")
    assert {one.get_attribute("textContent") for one in folded} == {"z1", "z2"}
    assert len(browser.elements("#sliders > .slider")) == 2


def test_the_range_of_a_slider_is_that_of_the_codes(browser, page):
    posterior = page.encode(pictures(30))
    loc, scale = posterior.mean().numpy(), posterior.stddev().numpy()
    for latent in browser.run("return explorer.data.latents"):
        index = latent["index"]
        assert latent["low"] < np.median(loc[:, index]) < latent["high"]
        assert latent["low"] >= np.min(loc - 2 * scale, axis=0)[index] - 1e-4
        assert latent["high"] <= np.max(loc + 2 * scale, axis=0)[index] + 1e-4


# The map ----------------------------------------------------------------------------------------


def test_dragging_on_the_map_moves_two_latents_and_no_other(browser, page):
    before = browser.code()
    axes = browser.run("return explorer.state.axes")
    # Where no dot is near: the corners.
    press(browser, "#map", 0.02, 0.98, (0.5, 0.9), (0.98, 0.02))
    code = browser.code()
    others = [latent for latent in range(LATENTS) if latent not in axes]
    assert code[others] == pytest.approx(before[others])
    latents = {one["index"]: one for one in browser.run("return explorer.data.latents")}
    for axis in axes:
        assert code[axis] > latents[axis]["high"] - 0.05 * (
            latents[axis]["high"] - latents[axis]["low"]
        )


def dot_of(browser, row):
    """Where on the map the dot of an image is, as shares of its box."""
    return browser.run(
        "const { data, state } = explorer; const row = arguments[0];"
        "return state.axes.map((axis) => {"
        "  const { low, high } = data.latents.find((one) => one.index === axis);"
        "  const value = data.data.loc[row * data.latents.length + axis];"
        "  return 0.06 + (0.88 * (value - low)) / (high - low);"
        "})",
        row,
    )


def test_a_click_on_a_dot_goes_to_the_code_of_its_image(browser, page):
    codes = page.embed(pictures(30)).numpy()
    # The dot that is farthest from all others cannot be mistaken.
    dots = np.array([dot_of(browser, row) for row in range(30)])
    distance = np.linalg.norm(dots[:, None] - dots[None], axis=-1) + 9 * np.eye(30)
    row = int(distance.min(axis=1).argmax())
    press(browser, "#map", dots[row][0], 1 - dots[row][1])
    assert np.abs(browser.code() - codes[row]).max() < 0.01
    said = browser.run("return document.querySelector('#announcement').textContent")
    assert said == f"At the code of an image labelled {row % 3}."


def test_the_map_takes_other_latents_and_arrow_keys(browser, page):
    from selenium.webdriver import Keys
    from selenium.webdriver.support.ui import Select

    others = [i for i in range(LATENTS) if i not in browser.run("return explorer.state.axes")]
    Select(browser.element("#map-x")).select_by_value(str(others[0]))
    Select(browser.element("#map-y")).select_by_value(str(others[1]))
    browser.settle()
    before = browser.code()
    browser.element("#map").send_keys(Keys.ARROW_RIGHT, Keys.ARROW_RIGHT, Keys.ARROW_DOWN)
    browser.settle()
    moved = browser.code() - before
    assert moved[others[0]] > 0 > moved[others[1]]
    assert np.count_nonzero(np.abs(moved) > 1e-6) == 2
    label = browser.element("#map").get_attribute("aria-label")
    assert label.startswith("Map of ") and f"{browser.code()[others[0]]:.2f}" in label.replace(
        MINUS, "-"
    )


def test_the_same_latent_twice_is_no_plane_so_they_change_places(browser, page):
    from selenium.webdriver.support.ui import Select

    first, second = browser.run("return explorer.state.axes")
    Select(browser.element("#map-x")).select_by_value(str(second))
    browser.settle()
    assert browser.run("return explorer.state.axes") == [second, first]


def test_every_label_has_its_colour_and_can_be_looked_at_alone(browser, page):
    chips = browser.elements("#legend button")
    assert [chip.text for chip in chips] == ["0", "1", "2"]
    chips[1].click()
    pressed = [chip.get_attribute("aria-pressed") for chip in chips]
    assert pressed == ["false", "true", "false"]
    chips[1].click()
    assert chips[1].get_attribute("aria-pressed") == "false"


# A picture of one's own -------------------------------------------------------------------------


def test_the_page_begins_with_an_example_and_its_code(browser, page):
    posterior = page.encode(pictures(1))
    assert np.abs(seen(browser, "#pad canvas") - pictures(1).ravel()).max() < 0.6 / 255
    # Its pixels were rounded to grey levels.
    assert np.abs(browser.code() - posterior.mean()).max() < 0.02
    scale = browser.run("return Array.from(explorer.state.posterior.scale)")
    assert np.abs(scale - posterior.stddev()).max() < 0.05


def test_what_is_drawn_is_encoded_and_reconstructed(browser, page):
    browser.element("#clear").click()
    browser.settle()
    press(browser, "#pad canvas", 0.2, 0.2, (0.5, 0.5), (0.8, 0.8))
    drawn = np.array(browser.run("return Array.from(explorer.pad.values)")).reshape(1, *SHAPE)
    diagonal = np.einsum("iij->i", drawn[0])
    assert diagonal[2:6].min() > 0.9 and drawn[0, 0, 7] == drawn[0, 7, 0] == 0
    expected = page.encode(drawn.astype("float32")).mean().numpy()
    assert np.abs(browser.code() - expected).max() < 1e-3
    made = page.decode(expected).mean().numpy().ravel()
    assert np.abs(seen(browser, "#reconstruction canvas") - made).max() < 1 / 255
    said = browser.element("#reconstruction-error").text
    error = np.mean((made - drawn.ravel()) ** 2)
    assert said == f"mean squared error {error:.4f}"


def test_inverting_turns_black_to_white(browser, page):
    before = seen(browser, "#pad canvas")
    browser.element("#invert").click()
    browser.settle()
    assert np.abs(seen(browser, "#pad canvas") - (1 - before)).max() < 1.1 / 255


def test_a_file_is_fitted_into_the_models_shape_and_encoded(browser, page, tmp_path):
    image = np.zeros((16, 16, 3), np.uint8)
    image[4:12, 2:14] = 255
    Image.fromarray(image).save(tmp_path / "image.png")
    browser.element("#choose-file").send_keys(str(tmp_path / "image.png"))
    browser.driver.execute_async_script("setTimeout(arguments[0], 300)")
    browser.settle()
    expected = np.zeros((8, 8))
    expected[2:6, 1:7] = 1
    assert np.abs(seen(browser, "#pad canvas").reshape(8, 8) - expected).max() < 0.1
    read = np.array(browser.run("return Array.from(explorer.pad.values)")).reshape(1, *SHAPE)
    code = page.encode(read.astype("float32")).mean()
    assert np.abs(browser.code() - code).max() < 1e-3


def test_a_file_that_is_no_image_is_told_of(browser, page, tmp_path):
    (tmp_path / "words.png").write_text("no image")
    before = browser.code()
    browser.element("#choose-file").send_keys(str(tmp_path / "words.png"))
    browser.driver.execute_async_script("setTimeout(arguments[0], 300)")
    assert "no image that this browser can read" in browser.element("#reconstruction-error").text
    assert browser.code() == pytest.approx(before)


def test_an_example_is_taken_at_a_click(browser, page):
    # Class by class in turn: images 0, 1, 2.
    browser.elements("#examples button")[2].click()
    browser.settle()
    assert np.abs(seen(browser, "#pad canvas") - pictures(3)[2].ravel()).max() < 0.6 / 255
    assert np.abs(browser.code() - page.embed(pictures(3))[2]).max() < 0.02


# Walks, traversals, samples ---------------------------------------------------------------------


def test_a_walk_goes_on_a_straight_line_from_one_code_to_another(browser, page):
    slide(browser, 0, -1.0)
    first = browser.code()
    browser.element("#walk-first button").click()
    slide(browser, 0, 1.0)
    slide(browser, 1, 0.5)
    second = browser.code()
    browser.element("#walk-second button").click()
    for tile, share in ((0, 0.0), (4, 0.5), (8, 1.0)):
        browser.elements("#walk-strip button")[tile].click()
        browser.settle()
        assert np.abs(browser.code() - (first + share * (second - first))).max() < 1e-5
    browser.run(
        "const input = document.querySelector('#walk-position');"
        "input.value = 0.25; input.dispatchEvent(new Event('input'));"
    )
    browser.settle()
    assert np.abs(browser.code() - (first + 0.25 * (second - first))).max() < 1e-5


def test_a_walk_plays_and_stops(browser, page):
    browser.run("arguments[0].scrollIntoView({block: 'center'})", browser.element("#walk-play"))
    browser.element("#walk-play").click()
    positions = [
        browser.driver.execute_async_script(
            "setTimeout(() => arguments[0](document.querySelector('#walk-position').value), 120)"
        )
        for _ in range(3)
    ]
    assert len(set(positions)) == 3
    browser.element("#walk-play").click()
    stopped = browser.code()
    browser.driver.execute_async_script("setTimeout(arguments[0], 120)")
    assert browser.code() == pytest.approx(stopped)
    assert browser.element("#walk-play").text == "Play"


def test_traversals_follow_the_current_code(browser, page):
    latent = browser.run("return explorer.data.latents[0]")
    browser.run("arguments[0].scrollIntoView()", browser.element(".traversal canvas"))
    slide(browser, 1, 0.3)
    browser.driver.execute_async_script("setTimeout(arguments[0], 500)")
    code = browser.code()
    codes = np.tile(code, (9, 1)).astype("float32")
    codes[:, latent["index"]] = np.linspace(latent["low"], latent["high"], 9)
    expected = page.decode(codes).mean().numpy()[..., 0]
    strip = seen(browser, ".traversal canvas").reshape(8, 9 * 9 - 1)
    for tile in range(9):
        shown = strip[:, 9 * tile : 9 * tile + 8]
        assert np.abs(shown - expected[tile]).max() < 1 / 255


def samples_of(browser, count):
    return np.array(
        browser.run(
            "return Array.from({length: arguments[0]}, "
            "() => Array.from(explorer.model.samplePrior()))",
            count,
        )
    )


def test_samples_are_of_the_prior(browser, page):
    drawn = samples_of(browser, 4000)
    assert np.abs(drawn.mean(axis=0)).max() < 0.08
    assert np.abs(drawn.std(axis=0) - 1).max() < 0.06
    before = browser.code()
    browser.element("#sample").click()
    browser.settle()
    assert np.abs(browser.code() - before).max() > 0.1
    browser.element("#centre").click()
    browser.settle()
    assert np.abs(browser.code()).max() == 0


def test_a_click_on_a_sample_goes_there(browser, page):
    browser.run("arguments[0].scrollIntoView({block: 'center'})", browser.element("#samples"))
    browser.driver.execute_async_script("setTimeout(arguments[0], 200)")
    shown = seen(browser, "#samples button:nth-child(3) canvas")
    browser.elements("#samples button")[2].click()
    browser.settle()
    assert np.abs(seen(browser) - shown).max() < 1 / 255


@pytest.mark.parametrize(
    "make",
    [
        lambda: small(prior=keras_vae.distributions.GaussianMixture(3)),
        lambda: small(VampPriorVAE, num_pseudo_inputs=5),
    ],
    ids=["mixture", "VampPrior"],
)
def test_samples_of_a_learned_prior_are_its_own(browser, visited, make):
    vae = visited(make())
    prior = vae.prior_distribution()
    drawn = samples_of(browser, 5000)
    deviation = prior.stddev().numpy()
    assert (np.abs(drawn.mean(axis=0) - prior.mean()) < 0.1 * deviation + 0.02).all()
    assert drawn.std(axis=0) == pytest.approx(deviation, rel=0.1)
    assert "the model's own prior, a mixture" in browser.element("#prior-kind").text


def test_a_prior_of_another_kind_goes_with_the_page(browser, visited):
    networks_ = {
        "encoder": networks.mlp_encoder(SHAPE, 3, [6], full_covariance=True),
        "decoder": networks.mlp_decoder(SHAPE, 3, [6]),
    }
    vae = VampPriorVAE(**networks_, posterior="full_covariance_normal", num_pseudo_inputs=4)
    visited(vae)
    drawn = samples_of(browser, 2000)
    assert drawn.mean(axis=0) == pytest.approx(vae.prior_distribution().mean().numpy(), abs=0.2)
    assert "drawn when this page was made" in browser.element("#prior-kind").text


# Kinds of models --------------------------------------------------------------------------------


def test_a_conditional_model_has_its_classes(browser, visited):
    vae = small(ConditionalVAE, more=3, condition_dim=3)
    vae.condition_image.set_weights([np.random.default_rng(3).normal(size=(3, 64))])
    visited(vae, images=pictures(9), labels=np.arange(9) % 3)
    assert [one.text for one in browser.elements("#classes button")] == ["any", "0", "1", "2"]
    codes = np.random.default_rng(4).normal(size=(5, LATENTS)).astype("float32")
    for condition in (None, 0, 2):
        expected = vae.decode(codes, condition).mean().numpy().reshape(5, -1)
        assert np.abs(browser.decoded(codes, condition) - expected).max() < 1 / 255
        loc, scale = browser.encoded(pictures(5), condition)
        posterior = vae.encode(pictures(5), condition)
        assert np.abs(loc - posterior.mean()).max() < 1e-3
        assert np.abs(scale - posterior.stddev()).max() < 1e-2
    browser.elements("#classes button")[3].click()
    browser.settle()
    # Class 2 also for the picture on the pad, which is the first image.
    code = vae.embed(pictures(1), condition=2)
    made = vae.decode(code, 2).mean().numpy().ravel()
    assert np.abs(seen(browser, "#reconstruction canvas") - made).max() < 0.02
    expected = vae.decode(browser.code()[None].astype("float32"), 2).mean().numpy().ravel()
    assert np.abs(seen(browser) - expected).max() < 1 / 255


def test_a_colour_model_shows_colours_and_encodes_them(browser, visited, tmp_path):
    shape = (8, 8, 3)
    vae = visited(small(shape=shape), images=pictures(4, shape))
    codes = np.random.default_rng(4).normal(size=(5, LATENTS)).astype("float32")
    expected = vae.decode(codes).mean().numpy().reshape(5, -1)
    assert np.abs(browser.decoded(codes) - expected).max() < 1 / 255
    picture = np.zeros((8, 8, 3), np.uint8)
    picture[..., 0] = 255
    Image.fromarray(picture).save(tmp_path / "red.png")
    browser.element("#choose-file").send_keys(str(tmp_path / "red.png"))
    browser.driver.execute_async_script("setTimeout(arguments[0], 300)")
    browser.settle()
    code = vae.encode((picture[None] / 255).astype("float32")).mean()
    assert np.abs(browser.code() - code).max() < 1e-3


@pytest.mark.parametrize("likelihood", ["continuous_bernoulli", "gaussian"])
def test_pictures_are_the_means_of_every_likelihood(browser, visited, likelihood):
    vae = small(likelihood=likelihood)
    visited(vae)
    codes = np.random.default_rng(4).normal(size=(20, LATENTS)).astype("float32")
    codes[0] = 0
    expected = vae.decode(codes).mean().numpy().reshape(20, -1)
    width = browser.run("return explorer.model.high - explorer.model.low")
    assert np.abs(browser.decoded(codes) - expected).max() < width / 255


def test_one_latent_is_a_line(browser, visited):
    vae = visited(small(latents=1), images=pictures(12), labels=list("ab" * 6))
    assert not browser.element("#map-y-label").is_displayed()
    press(browser, "#map", 0.03, 0.03)
    latent = browser.run("return explorer.data.latents[0]")
    assert browser.code()[0] < latent["low"] + 0.05 * (latent["high"] - latent["low"])
    expected = vae.decode(browser.code()[None].astype("float32")).mean().numpy().ravel()
    assert np.abs(seen(browser) - expected).max() < 1 / 255


def test_five_hundred_latents_are_no_more_than_can_be_read(browser, visited):
    vae = visited(small(latents=500), images=pictures(12))
    assert len(browser.elements("#sliders > .slider")) == 24
    assert browser.element("#sliders details summary").text.endswith("less used")
    assert len(browser.elements("#sliders input")) == 500
    assert len(browser.elements(".traversal")) == 24
    code = browser.code()
    assert len(code) == 500
    expected = vae.decode(code[None].astype("float32")).mean().numpy().ravel()
    assert np.abs(seen(browser) - expected).max() < 1 / 255
    assert browser.errors() == []


def test_without_images_the_page_says_where_ranges_come_from(browser, visited):
    visited(small())
    assert "Made without images: ranges come from the prior" in browser.element("#notes").text
    assert browser.code() == pytest.approx(np.zeros(LATENTS))
    for latent in browser.run("return explorer.data.latents"):
        assert [latent["low"], latent["high"]] == pytest.approx([-3, 3])
    assert browser.elements("#examples button") == []


def test_without_its_encoder_the_page_has_no_place_to_draw(browser, visited):
    visited(small(), images=pictures(5), encoder=False)
    assert browser.elements("#own") == []
    assert browser.run("return explorer.data.encoder") is None
    assert browser.errors() == []


class TwiceAsBright(keras_vae.VAE):
    """A model that decodes in a way of its own."""

    def decode(self, z, condition=None):
        return super().decode(2.0 * z, condition)


def test_a_page_that_does_not_show_what_keras_shows_says_so(browser, visited):
    visited(small(TwiceAsBright))
    assert "does not show what Keras shows" in browser.element("#notes").text


# Text from outside ------------------------------------------------------------------------------

HOSTILE = (
    "</script><script>window.taken = 1</script><img src=x onerror='window.taken = 1'>&lt;{{data}}"
)


def test_no_script_runs_that_a_user_or_a_card_says(browser, visited):
    visited(
        small(),
        images=pictures(6),
        labels=[HOSTILE, "b"] * 3,
        names=[HOSTILE] * LATENTS,
        title=HOSTILE,
        card={"description": HOSTILE, HOSTILE: HOSTILE, "figures": {HOSTILE: HOSTILE}},
    )
    browser.element("#open-card").click()
    browser.driver.execute_async_script("setTimeout(arguments[0], 200)")
    assert browser.run("return window.taken") is None
    assert browser.elements("body img") == []
    assert browser.driver.title == HOSTILE
    for selector in ("#title", "#subtitle", "#card-title", "#sliders .name span", "#map-x option"):
        assert browser.element(selector).get_attribute("textContent") == HOSTILE
    told = browser.element("#card-sections").get_attribute("textContent")
    assert told.count(HOSTILE) >= 2
    assert HOSTILE in browser.element("#legend").get_attribute("textContent")
    browser.element("#close-card").click()


def test_the_policy_of_the_page_stops_a_script_that_got_into_it(browser, page):
    browser.run(
        "const script = document.createElement('script');"
        "script.textContent = 'window.taken = 1'; document.body.append(script);"
    )
    assert browser.run("return window.taken") is None
    # The console tells of it.
    assert any("Content Security Policy" in message for message in browser.errors())


# The address, the notebook, the looks -----------------------------------------------------------


def test_the_address_keeps_the_view_and_brings_it_back(browser, plain, page):
    slide(browser, 0, 0.5)
    slide(browser, 2, -0.25)
    code = browser.code()
    browser.driver.execute_async_script("setTimeout(arguments[0], 500)")
    address = browser.driver.current_url
    fragment = urllib.parse.urlparse(address).fragment
    assert fragment.startswith("z=")
    browser.open(plain[1], "#" + fragment)
    browser.settle()
    assert np.abs(browser.code() - code).max() < 1e-3


def test_another_address_is_another_view(browser, page):
    browser.run("location.hash = '#z=1,2,-1,0.5&map=3,1'")
    browser.settle()
    browser.driver.execute_async_script("setTimeout(arguments[0], 100)")
    assert browser.code() == pytest.approx([1, 2, -1, 0.5])
    assert browser.run("return explorer.state.axes") == [3, 1]


@pytest.mark.parametrize("fragment", ["#z=1,2", "#z=a,b,c,d&map=9,9", "#map=1,1", "#%%%", "#y=3"])
def test_an_address_that_makes_no_sense_is_passed_over(browser, plain, fragment):
    browser.open(plain[1], fragment)
    browser.settle()
    assert np.isfinite(browser.code()).all() and len(browser.code()) == LATENTS
    assert browser.errors() == []


def test_a_notebook_shows_the_page_in_a_frame(browser, tmp_path):
    html = small().explore(images=pictures(5))._repr_html_()
    path = tmp_path / "notebook.html"
    path.write_text(f"<!doctype html><meta charset=utf-8>{html}", encoding="utf-8")
    browser.driver.get(path.as_uri())
    browser.driver.switch_to.frame(0)
    try:
        browser.driver.execute_async_script("setTimeout(arguments[0], 500)")
        assert browser.run("return Boolean(window.explorer)")
        slide(browser, 0, 0.5)
        assert not browser.element("#copy-link").is_displayed()
    finally:
        browser.driver.switch_to.default_content()
    assert browser.errors() == []


def test_light_and_dark_by_the_system_and_by_the_button(browser, page):
    def ground():
        return browser.run("return getComputedStyle(document.body).backgroundColor")

    def system(scheme):
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        browser.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})

    system("light")
    light = ground()
    system("dark")
    dark = ground()
    assert light != dark
    browser.element("#theme").click()
    assert ground() == light
    browser.element("#theme").click()
    assert ground() == dark
    system("light")
    assert ground() == dark


@pytest.mark.parametrize("width", [360, 768, 1280])
def test_nothing_is_wider_than_the_screen(browser, page, width):
    metrics = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": width < 600}
    browser.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    try:
        assert browser.run("return document.documentElement.scrollWidth") <= width
        for control in browser.elements("button, select, #sliders input"):
            if control.is_displayed():
                assert control.size["height"] >= 24
    finally:
        browser.driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_everything_that_is_worked_with_has_a_name(browser, page):
    unnamed = browser.run(
        "return [...document.querySelectorAll('button, input, select, canvas[role]')]"
        ".filter((one) => !one.hidden && !(one.getAttribute('aria-label')"
        " || one.labels?.length || one.textContent.trim())).map((one) => one.outerHTML)"
    )
    assert unnamed == []
    hidden = browser.run("return document.querySelectorAll('canvas:not([role])').length")
    assert hidden == browser.run(
        "return document.querySelectorAll('canvas[aria-hidden=true]').length"
    )


def test_the_picture_is_what_the_screen_shows(browser, page):
    """Each pixel of the model is a square of one colour: nothing is smoothed."""
    frame = browser.element("#picture canvas")
    shot = Image.open(io.BytesIO(base64.b64decode(frame.screenshot_as_base64))).convert("L")
    side = shot.width / 8
    centres = [round((i + 0.5) * side) for i in range(8)]
    inner = [c for centre in centres for c in (centre - round(side / 4), centre + round(side / 4))]
    levels = np.array(shot)[np.ix_(inner, inner)].reshape(8, 2, 8, 2)
    assert np.ptp(levels, axis=(1, 3))[1:-1, 1:-1].max() == 0
    assert np.abs(
        levels[1:-1, 0, 1:-1, 0] / 255 - seen(browser).reshape(8, 8)[1:-1, 1:-1]
    ).max() < (1.5 / 255)


@pytest.mark.slow
def test_it_runs_in_another_browser(second_browser, plain):
    vae, path = plain
    seconds = second_browser.open(path)
    assert seconds < 5
    codes = np.random.default_rng(4).normal(size=(20, LATENTS)).astype("float32")
    expected = vae.decode(codes).mean().numpy().reshape(20, -1)
    assert np.abs(second_browser.decoded(codes) - expected).max() < 1 / 255
    loc, _ = second_browser.encoded(pictures(5))
    assert np.abs(loc - vae.embed(pictures(5))).max() < 1e-3
    slide(second_browser, 0, 0.5)
    code = second_browser.code()
    expected = vae.decode(code[None].astype("float32")).mean().numpy().ravel()
    assert np.abs(seen(second_browser) - expected).max() < 1 / 255
