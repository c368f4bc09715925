"""What samplers have in common that learn by gradient descent."""

import abc

import keras
import numpy as np

from keras_vae import arguments, datasets
from keras_vae.noise import python_seed
from keras_vae.samplers.sampler import Sampler
from keras_vae.training import TermTrainer

_FEW_STEPS = 1_000


class TrainedSampler(Sampler, abc.ABC):
    """A sampler that holds a density model, and trains it by Adam with a falling learning rate.

    Args:
        epochs: Int. Passes over the codes.
        batch_size: Int. Codes a step.
        learning_rate: Float. At the start; it falls to a hundredth along a cosine.

    Raises:
        ValueError: If an argument is invalid.
    """

    def __init__(self, epochs: int, batch_size: int, learning_rate: float, **kwargs):
        super().__init__(**kwargs)
        self.epochs = arguments.count("epochs", epochs)
        self.batch_size = arguments.count("batch_size", batch_size)
        self.learning_rate = arguments.positive("learning_rate", learning_rate)

    @abc.abstractmethod
    def density_model(self, latent_dim: int, seed: int) -> TermTrainer:
        """A built, untrained model of codes `[batch, latent_dim]`."""

    def build(self, input_shape: tuple):
        """Creates the density model for codes `(None, latent)`."""
        super().build(input_shape)
        self.density = self.density_model(input_shape[-1], seed=0)

    def learn(self, codes: np.ndarray, seed: int, verbose: int):
        """Trains a new density model, and keeps its weights without its optimizer's."""
        batch_size = min(self.batch_size, len(codes))
        steps = self.epochs * -(-len(codes) // batch_size)
        with python_seed(seed):
            model = self.density_model(codes.shape[1], seed)
        schedule = keras.optimizers.schedules.CosineDecay(self.learning_rate, steps, alpha=0.01)
        # XLA takes longer to compile so small a model than it saves in a few steps.
        model.compile(keras.optimizers.Adam(schedule), jit_compile=steps > _FEW_STEPS)
        batches = datasets.from_arrays(codes, batch_size=batch_size, seed=seed)
        model.fit(batches, epochs=self.epochs, verbose=verbose)
        self.density.set_weights(model.get_weights())

    def get_config(self) -> dict:
        """The constructor's arguments."""
        names = ("epochs", "batch_size", "learning_rate")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}
