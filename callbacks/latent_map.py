"""Where held-out images lie in the latent space, while a model trains."""

import os

import numpy as np
from PIL import Image

from keras_vae import drawing, latent_measures
from keras_vae.callbacks.helpers.frequency import EPOCH
from keras_vae.callbacks.helpers.picture_callback import PictureCallback, check_order
from keras_vae.drawn_inputs import check_exist, checked_inputs, checked_latents
from keras_vae.model_functions import ModelFunctions

_MOST_LABELS = 20
_LEAST_LIMIT = 3.0
_ROOM = 1.1
_LEAST_SHOWN = 0.99


class LatentMap(PictureCallback):
    """Draws the posterior means of images in the plane of two latents, coloured by label.

    So that pictures compare from epoch to epoch, the plane is chosen once in a run. It is that of
    two single latents, not of principal components, which turn as the model learns and have no
    units: an axis here is one latent in standard deviations of the prior. Without `latents` the two
    with the largest measured KL when the first picture is drawn are kept for the rest of the call
    of `fit`; where standard deviations are not known, the two whose means vary most. Pass `latents`
    to keep the plane over runs that resume as well.

    The axes run from -3 to 3. When more than one point in a hundred lies beyond, they grow, to 4,
    6, 8, 12, 16 and so on. Means that reach far in the first steps come back: when a smaller scale
    would have held two pictures in a row, with a tenth of it to spare, that scale is taken. How
    many points lie beyond the axes stands in the title. Written to
    `FOLDER/latent_map/epoch_0001.png` and so on.

    Args:
        images: `[n, *event]`, floating point, as the encoder takes them. Some 2,000 make a clear
            map.
        folder: Folder of the run.
        labels: `[n]`, at most 20 different values, numbers or strings. Defaults to `None`: points
            of one colour.
        latents: The latents along the horizontal and the vertical axis, counted from 0. Defaults
            to `None`: see above.
        frequency: `"epoch"`, an int N for every N steps, `"power_of_two"` or `"logarithmic"`, as
            `ELBOLogger` takes it. Defaults to `"epoch"`.
        tensorboard: Bool. Whether pictures also go to TensorBoard. Defaults to `False`.
        encode: Function from images to their codes, for a model that does not tell how. Defaults
            to `None`: see `keras_vae.model_functions`.

    Raises:
        ValueError: If an argument is invalid, or at the start of training if the images do not fit
            the model, no encoder is found, or there is no such latent.
        OSError: At the start of training, if the folder cannot be written.

    Example:
    >>> latent_map = keras_vae.callbacks.LatentMap(test_images, "runs/mnist", test_labels)
    >>> model.fit(images, callbacks=[latent_map])
    """

    def __init__(
        self,
        images,
        folder: str | os.PathLike,
        labels=None,
        latents: tuple[int, int] | None = None,
        frequency: str | int = EPOCH,
        tensorboard: bool = False,
        encode=None,
    ):
        check_order(images, folder)
        super().__init__(folder, "latent_map", frequency, tensorboard, encode=encode)
        self.images = checked_inputs(images)
        self.labels = None if labels is None else self._checked_labels(np.asarray(labels))
        self.latents = None if latents is None else checked_latents(latents)

    def prepare(self, functions: ModelFunctions):
        """Encodes one image, to see that it fits and that the latents exist."""
        latent_dim = functions.encode(self.images[:1]).loc.shape[-1]
        if latent_dim < 2:
            raise ValueError("A latent map needs a model with two latents or more. Received: 1")
        check_exist(self.latents or (0, 1), latent_dim)
        self._shown = self.latents
        self._limit = self._fitted = _LEAST_LIMIT

    def draw(self, functions: ModelFunctions) -> dict[str, Image.Image]:
        """The posterior means in the chosen plane."""
        posterior = functions.encode(self.images)
        if self._shown is None:
            kl = posterior.kl()
            importance = latent_measures.variance_of_means(posterior.loc) if kl is None else kl
            self._shown = tuple(np.argsort(-importance, kind="stable")[:2].tolist())
        points = posterior.loc[:, self._shown]
        distance = np.abs(points).max(axis=1)
        self._fit(np.quantile(distance, _LEAST_SHOWN))
        beyond = np.count_nonzero(~(distance <= self._limit))
        figure = drawing.latent_map(
            points,
            self.labels,
            self._limit,
            axis_labels=(f"z{self._shown[0]}", f"z{self._shown[1]}"),
            title=f"posterior means, {beyond} of {len(points)} beyond the axes",
        )
        return {self.name: drawing.rendered(figure)}

    def _fit(self, farthest):
        """Chooses the axes' limit for points that reach so far."""
        if not np.isfinite(farthest):
            return
        fitted, before = _limit_of(_ROOM * farthest), self._fitted
        self._limit = max(_limit_of(farthest), min(self._limit, max(fitted, before)))
        self._fitted = fitted

    def _checked_labels(self, labels):
        if labels.shape != (len(self.images),):
            raise ValueError(
                "Invalid value for argument `labels`. Expected one label an image: "
                f"{(len(self.images),)}. Received: shape {labels.shape}"
            )
        if len(np.unique(labels)) > _MOST_LABELS:
            raise ValueError(
                f"Invalid value for argument `labels`. Expected at most {_MOST_LABELS} different "
                f"values. Received: {len(np.unique(labels))}. Group them, for example by "
                "`numpy.digitize`."
            )
        return labels


def _limit_of(farthest):
    """The least of 3, 4, 6, 8, 12, 16, ... that is not below."""
    limit = _LEAST_LIMIT
    while farthest > 4 / 3 * limit:
        limit *= 2
    return limit if farthest <= limit else 4 / 3 * limit
