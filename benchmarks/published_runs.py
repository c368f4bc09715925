"""Two published runs on MNIST's grey pixels, beside what they reached when they were published.

  pytorch   the VAE of the PyTorch examples: 784-400-20, Adam 1e-3, batch 128, 7 epochs;
            published test loss 106.66 (https://github.com/pytorch/examples, vae)
  keras     the VAE of keras.io: convolutions 32-64, dense 16, 2 latents, Adam 1e-3, batch 128,
            10 epochs over all 70,000 images; published loss of epoch 10 152.20
            (https://keras.io/examples/generative/vae/)

Losses are sums of binary cross-entropy over the pixels plus the KL, in nats an image, beta 1.
Needs MNIST, prepared for TFDS or downloadable. `--dtype-policy mixed_bfloat16` or `mixed_float16`
trains the same in mixed precision: the likelihood and the KL stay in float32, the networks do not.
"""

import argparse
import os
import statistics

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras

import keras_vae

SHAPE = (28, 28, 1)


def pytorch(seed: int) -> dict:
    """Trains the PyTorch example's network; its figure is the test loss after the last epoch."""
    train, test = keras_vae.datasets.load("mnist", batch_size=128, seed=seed)
    vae = keras_vae.VAE(
        keras_vae.networks.mlp_encoder(SHAPE, latent_dim=20, hidden_sizes=[400], scale="exp"),
        keras_vae.networks.mlp_decoder(SHAPE, latent_dim=20, hidden_sizes=[400]),
        seed=seed,
    )
    history = _fit(vae, train, epochs=7, validation_data=test)
    return {
        "loss": history["val_loss"],
        "reconstruction": history["val_reconstruction_loss"],
        "kl": history["val_kl_loss"],
    }


def keras_io(seed: int) -> dict:
    """Trains the keras.io example's network; its figure is the mean loss of the last epoch."""
    train = keras_vae.datasets.load("mnist", split="train+test", batch_size=128, seed=seed)
    vae = keras_vae.VAE(
        keras_vae.networks.conv_encoder(SHAPE, latent_dim=2, scale="exp"),
        keras_vae.networks.conv_decoder(SHAPE, latent_dim=2),
        seed=seed,
    )
    history = _fit(vae, train, epochs=10)
    return {
        "loss": history["loss"],
        "reconstruction": history["reconstruction_loss"],
        "kl": history["kl_loss"],
    }


def _fit(vae, train, **arguments):
    vae.compile(optimizer=keras.optimizers.Adam(1e-3), steps_per_execution=16)
    history = vae.fit(train, verbose=0, **arguments).history
    return {name: values[-1] for name, values in history.items()}


RUNS = {"pytorch": (pytorch, 106.66, 1.0), "keras": (keras_io, 152.20, 2.5)}


def main():
    """Runs each with every seed and prints a table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("runs", nargs="*", choices=[[], *RUNS], help="which (both)")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2], help="(0 1 2)")
    parser.add_argument("--dtype-policy", default="float32", help="(float32)")
    options = parser.parse_args()
    keras.config.set_dtype_policy(options.dtype_policy)
    for name in options.runs or RUNS:
        run, published, tolerance = RUNS[name]
        print(f"{name}: published {published:.2f}, to be met within {tolerance}")
        losses = []
        for seed in options.seeds:
            keras.utils.set_random_seed(seed)
            result = run(seed)
            losses.append(result["loss"])
            figures = "  ".join(f"{key} {value:.2f}" for key, value in result.items())
            print(f"  seed {seed}:  {figures}", flush=True)
        mean = statistics.mean(losses)
        print(f"  mean {mean:.2f}, {mean - published:+.2f} from the published figure", flush=True)


if __name__ == "__main__":
    main()
