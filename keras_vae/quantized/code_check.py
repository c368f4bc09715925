"""Clear errors for what should be integers on a grid, before a step is spent on them."""

import numpy as np
import tensorflow as tf

from keras_vae.training.data_checks import DataCheck, marked
from keras_vae.training.given_data import kind_of


class CodeCheck(DataCheck):
    """Checks codes wherever they are given to a model.

    Args:
        grid_shape: Of the codes of one image.
        num_codes: Int. They are integers from 0 to one less.
    """

    def __init__(self, grid_shape: tuple[int, ...], num_codes: int):
        super().__init__()
        self.grid_shape = tuple(grid_shape)
        self.num_codes = num_codes

    def wrap_images(self, x, takes: str = ""):
        """As `wrap`."""
        return self.wrap(x)

    def wrap(self, data):
        """Checks what can be checked now, and returns the data with the remaining checks added.

        Args:
            data: Codes `[n, *grid]`, `(codes,)` or `(codes, None)` with weights behind it, or a
                `tf.data.Dataset` of batches of such.

        Raises:
            ValueError: If they are no integers of that shape, or of that range.
        """
        if isinstance(data, tf.data.Dataset):
            spec = data.element_spec
            spec = spec[0] if isinstance(spec, tuple) and spec else spec
            if not isinstance(spec, tf.TensorSpec) or spec.shape.rank is None:
                raise ValueError(self._message(f"a data set of {data.element_spec}"))
            self._check_kind(spec.dtype.as_numpy_dtype, spec.shape)
            return data.map(self._check_range_in_graph)
        if isinstance(data, tuple) and 1 <= len(data) <= 3:
            codes = self.array(data[0])
            self.check_weights(data[2] if len(data) == 3 else None, len(codes))
            return (codes, *data[1:])
        return self.array(data)

    def array(self, codes) -> np.ndarray:
        """Codes as an int32 array `[n, *grid]`, checked.

        Raises:
            ValueError: As `wrap` does.
        """
        if not hasattr(codes, "shape"):
            raise ValueError(self._message(kind_of(codes)))
        codes = np.asarray(codes)
        self._check_kind(codes.dtype, codes.shape)
        if not codes.size:
            raise ValueError(self._message("none at all"))
        if codes.min() < 0 or codes.max() >= self.num_codes:
            raise ValueError(self._message(f"integers from {codes.min()} to {codes.max()}"))
        return codes.astype(np.int32)

    def _check_kind(self, dtype, shape):
        is_integer = np.dtype(dtype).kind in "iu"
        rest = tuple(shape)[1:]
        if not (is_integer and len(shape) and rest == self.grid_shape):
            sizes = ", ".join("?" if size is None else str(size) for size in shape)
            raise ValueError(self._message(f"{np.dtype(dtype)} of shape [{sizes}]"))

    @tf.autograph.experimental.do_not_convert
    def _check_range_in_graph(self, *element):
        data = element[0] if len(element) == 1 else element
        codes = data[0] if isinstance(data, tuple) else data
        fits = tf.reduce_all((codes >= 0) & (codes < tf.cast(self.num_codes, codes.dtype)))
        said = marked(self._message("a batch of the data set with others"))
        with tf.control_dependencies([tf.debugging.Assert(fits, [said])]):
            codes = tf.cast(codes, tf.int32)
        return (codes, *data[1:]) if isinstance(data, tuple) else codes

    def _message(self, received):
        sizes = ", ".join(map(str, ("n", *self.grid_shape)))
        return (
            f"Codes must be integers from 0 to {self.num_codes - 1}, an array [{sizes}] or a "
            "`tf.data.Dataset` of batches of them, as `VQVAE.encode_codes` returns them. "
            f"Received: {received}"
        )
