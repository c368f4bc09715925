"""A model and some images as the tree of values that its page is made of."""

from collections.abc import Mapping

import numpy as np
import tensorflow as tf

from keras_vae import arguments, distributions
from keras_vae.drawing.palette import PALETTE, TINTS
from keras_vae.explorer import card as cards
from keras_vae.explorer import latents, layers, priors
from keras_vae.explorer.packing import Rounded, Shares
from keras_vae.explorer.rounding import fewest_bits
from keras_vae.training.given_data import comes_in_batches

MOST_CODES = 1000
_MOST_EXAMPLES = 20
_MOST_CLASSES = 20
_NUM_CHECKED = 4
_NUM_ROUNDED = 100
# By how much rounding weights may change what is shown: half a grey level, and half of the
# thousandth to which codes are shown.
_PIXEL_TOLERANCE = 0.5 / 255
_CODE_TOLERANCE = 5e-4
_LIKELIHOODS = {
    distributions.Bernoulli: "bernoulli",
    distributions.ContinuousBernoulli: "continuous_bernoulli",
    distributions.Gaussian: "gaussian",
}
_POSTERIORS = (distributions.DiagonalNormal, distributions.FullCovarianceNormal)
_WITHOUT_ENCODER = (
    "Use other layers, or pass `encoder=False` for a page that shows codes and encodes no images."
)


def describe(
    vae,
    images=None,
    labels=None,
    names=None,
    title: str | None = None,
    card: Mapping | None = None,
    encoder: bool = True,
) -> dict:
    """All that a page shows; the arguments are those of `explore`.

    Returns:
        Dicts, lists, strings, numbers, and arrays as `packing.pack` takes them.

    Raises:
        ValueError: As `explore` does.
    """
    if not vae.built:
        raise ValueError(
            "`explore` needs a built model. Call the model on a batch of images, or "
            "`build((None, height, width, channels))`, first."
        )
    if getattr(vae, "has_discrete_codes", False):
        raise ValueError(
            "A page is for dragging latents, which are real numbers. "
            f"Received: {type(vae).__name__}, whose codes are integers. Its images are drawn by "
            "`visualize.reconstructions`, and those of other codes by `decode_codes`."
        )
    shape = _image_shape(vae.event_shape)
    likelihood = _LIKELIHOODS.get(type(vae.likelihood))
    if likelihood is None:
        raise ValueError(
            f"A page does not know the mean of a {type(vae.likelihood).__name__}. Expected one of "
            f"the likelihoods {', '.join(kind.__name__ for kind in _LIKELIHOODS)}."
        )
    names = latents.names_of(names, vae.latent_dim)
    if title is not None and not isinstance(title, str):
        raise arguments.invalid("title", "a string", title)
    if card is not None and not isinstance(card, Mapping):
        raise arguments.invalid("card", "a mapping, such as `presets.card(name)`", card)
    arguments.flag("encoder", encoder)
    card = card or {}
    decoder = layers.describe(vae.decoder, "decoder", "Build the decoder of other layers.")
    if isinstance(decoder["outputs"], dict):
        decoder["outputs"] = decoder["outputs"]["loc"]
    encodes = _encoder(vae) if encoder else None

    chosen = _chosen(vae, images, labels)
    codes = None
    if chosen is not None:
        images, labels, total = chosen
        codes = latents.Codes.of(vae, images, _conditions(vae, labels))
    found = latents.from_prior(vae) if codes is None else latents.from_codes(codes)
    prior = vae.prior_distribution()
    drawn = priors.draws(prior, _NUM_ROUNDED)
    shown = drawn if codes is None else np.concatenate([drawn, codes.loc[:_NUM_ROUNDED]])
    pictures = _decoded(vae, vae.decoder, shown)
    low, high = _value_range(vae.likelihood, pictures if codes is None else images)
    width = high - low

    bits = fewest_bits(vae.decoder, lambda net: _decoded(vae, net, shown), _PIXEL_TOLERANCE * width)
    _round(decoder, bits)
    if encodes is not None:
        seen = pictures if codes is None else images[: 2 * _NUM_ROUNDED]
        bits = fewest_bits(vae.encoder, lambda net: _encoded(vae, net, seen), _CODE_TOLERANCE)
        _round(encodes, bits)

    checked = slice(_NUM_ROUNDED - _NUM_CHECKED, _NUM_ROUNDED + _NUM_CHECKED)
    tree = {
        "title": title or str(card.get("name", type(vae).__name__)),
        "description": str(card.get("description", "")),
        "shape": shape,
        "event_shape": list(vae.event_shape),
        "low": low,
        "high": high,
        "likelihood": likelihood,
        "latents": latents.described(found, names),
        "measure": found["measure"],
        "decoder": decoder,
        "encoder": encodes,
        "condition": _condition(vae),
        "prior": {**priors.describe(prior), "mean": priors.moments(prior)[0]},
        "data": None,
        "palette": list(PALETTE),
        "tints": list(TINTS),
        "card": cards.sections(vae, card),
        "check": {
            "codes": shown[checked],
            # As the model itself decodes, in case that it does so in a way of its own.
            "pictures": Shares(
                np.clip((vae.decode(shown[checked]).mean().numpy() - low) / width, 0, 1)
            ),
        },
    }
    if codes is not None:
        examples = _examples(labels, len(images))
        tree["data"] = {
            "total": total,
            "loc": Rounded(codes.loc, 12),
            **_classes(labels, len(images)),
            "examples": {
                "index": [int(index) for index in examples],
                "pictures": Shares(np.clip((images[examples] - low) / width, 0, 1)),
                # The page begins with the first of them.
                "loc": codes.loc[examples],
                "scale": codes.scale[examples],
            },
        }
    return tree


def _image_shape(event_shape):
    """Height, width and channels, for images that can be drawn."""
    shape = (*event_shape, 1) if len(event_shape) == 2 else tuple(event_shape)
    if len(shape) != 3 or shape[-1] not in (1, 3):
        raise ValueError(
            "A page shows images [height, width], [height, width, 1] or [height, width, 3]. "
            f"Received: a model of shape {list(event_shape)}"
        )
    return list(shape)


def _encoder(vae):
    """The encoder as steps, as far as its codes are means."""
    if type(vae.posterior) not in _POSTERIORS:
        raise ValueError(
            f"A page cannot encode by the posterior {type(vae.posterior).__name__}, only by "
            f"{' or '.join(kind.__name__ for kind in _POSTERIORS)}. Pass `encoder=False` for a "
            "page that shows codes and encodes no images."
        )
    described = layers.describe(vae.encoder, "encoder", _WITHOUT_ENCODER)
    described["outputs"] = {name: described["outputs"][name] for name in ("loc", "scale")}
    return described


def _condition(vae):
    """What a conditional member adds to images and appends to codes."""
    size = getattr(vae, "condition_dim", None)
    if size is None:
        return None
    (kernel,) = vae.condition_image.get_weights()
    return {"size": size, "kernel": kernel}


def _conditions(vae, labels):
    """Labels, where the model takes class numbers as conditions."""
    takes = getattr(vae, "condition_dim", None) is not None
    return labels if takes and labels is not None and labels.dtype.kind in "iu" else None


def _chosen(vae, images, labels):
    """Up to a thousand images, their labels, and of how many they are."""
    if images is None:
        if labels is not None:
            raise ValueError(
                "Labels belong to images. Received: labels without images. Pass both, or neither."
            )
        return None
    if comes_in_batches(images):
        raise ValueError(
            f"Expected images as an array [n, *event]. Received: a {type(images).__name__}. Take "
            "a batch, for example `next(iter(dataset))`."
        )
    images = vae.data_check().wrap_images(images)
    images = np.asarray(images, np.float32)
    if labels is not None:
        labels = np.asarray(labels)
        if labels.shape != (len(images),) or labels.dtype.kind not in "iufUb":
            raise ValueError(
                "There must be a label for every image, a number or a string. Received: "
                f"{len(images)} images and labels of shape {list(labels.shape)}, dtype "
                f"{labels.dtype.name}"
            )
    rows = np.linspace(0, len(images) - 1, min(len(images), MOST_CODES)).astype(int)
    return images[rows], None if labels is None else labels[rows], len(images)


def _classes(labels, count):
    """What dots are coloured by: a few classes, or numbers."""
    if labels is None:
        return {"classes": None, "labels": None, "numbers": None}
    values, which = np.unique(labels, return_inverse=True)
    if len(values) <= _MOST_CLASSES:
        classes = [str(value) for value in values]
        return {"classes": classes, "labels": [int(one) for one in which], "numbers": None}
    if labels.dtype.kind not in "iuf" or not np.isfinite(labels).all():
        raise ValueError(
            f"Labels must be finite numbers, or up to {_MOST_CLASSES} different strings. "
            f"Received: {len(values)} different labels of dtype {labels.dtype.name}"
        )
    return {"classes": None, "labels": None, "numbers": [float(label) for label in labels]}


def _examples(labels, count):
    """Rows of a few images: of every class as many as there is room for, class by class in turn."""
    if labels is None or len(np.unique(labels)) > _MOST_CLASSES:
        return np.arange(min(count, _MOST_EXAMPLES))
    of_class = [np.flatnonzero(labels == value) for value in np.unique(labels)]
    longest = max(map(len, of_class))
    turns = [rows[turn] for turn in range(longest) for rows in of_class if turn < len(rows)]
    return np.array(turns[:_MOST_EXAMPLES])


def _value_range(likelihood, images):
    """The values that are shown as black and as white."""
    if np.isfinite([likelihood.lower, likelihood.upper]).all():
        return float(likelihood.lower), float(likelihood.upper)
    low, high = float(np.min(images)), float(np.max(images))
    # Means of pixels in [0, 1] pass these a little.
    if low >= -0.1 and high <= 1.1:
        return 0.0, 1.0
    return (low, high) if high > low else (low, low + 1.0)


def _decoded(vae, decoder, codes):
    """What a decoder makes of codes, with no condition in particular, `[n, *event]`."""
    codes = tf.cast(codes, tf.float32)
    conditions = vae.conditions(None, len(codes))
    if conditions is not None:
        codes = tf.concat([codes, conditions], axis=-1)
    return vae.likelihood.distribution(decoder(codes, training=False)).mean().numpy()


def _encoded(vae, encoder, images):
    """Means that an encoder gives images, with no condition in particular."""
    conditions = vae.conditions(None, len(images))
    if conditions is not None:
        images = images + vae.condition_image(conditions)
    return encoder(images, training=False)["loc"].numpy()


def _round(network, bits):
    """Marks the kernels of a network."""
    for step in network["steps"]:
        if "kernel" in step:
            step["kernel"] = Rounded(step["kernel"], bits)
