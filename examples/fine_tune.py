"""Fine-tunes a trained VAE on other images: load, fit, save.

By default the VAE that was trained on MNIST goes on to digits typeset on this machine, so that
nothing is downloaded. Prints the held-out bound on the new images before and after, beside that of
the same network trained from nothing for as long.
"""

import argparse
import os
from pathlib import Path

os.environ.setdefault("KERAS_VAE_QUIET", "1")

import keras_vae
from keras_vae.evaluation import evaluate_elbo

import keras


def main():
    """Loads, fine-tunes, saves."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--preset", default="mnist_mlp", help="trained VAE to begin with (mnist_mlp)")
    add("--dataset", default="typeset_digits", help="TFDS name of the new images (typeset_digits)")
    add("--epochs", type=int, default=1, help="passes over the new images (1)")
    add(
        "--output",
        type=Path,
        default=Path("runs/fine_tuned.keras"),
        help="file of the model (runs/fine_tuned.keras)",
    )
    options = parser.parse_args()

    keras.utils.set_random_seed(0)
    train, test = keras_vae.datasets.load(options.dataset, batch_size=128)
    vae = keras_vae.VAE.from_preset(options.preset)
    print(f"ELBO before:        {evaluate_elbo(vae, test, progress=False)['elbo']:.2f} nats")
    vae.fit(train, epochs=options.epochs, verbose=2)
    print(f"ELBO after:         {evaluate_elbo(vae, test, progress=False)['elbo']:.2f} nats")
    options.output.parent.mkdir(parents=True, exist_ok=True)
    vae.save(options.output)

    fresh = keras_vae.VAE.from_config(vae.get_config())
    fresh.compile(optimizer=keras.optimizers.Adam(1e-3))
    fresh.fit(train, epochs=options.epochs, verbose=2)
    print(f"ELBO from nothing:  {evaluate_elbo(fresh, test, progress=False)['elbo']:.2f} nats")


if __name__ == "__main__":
    main()
