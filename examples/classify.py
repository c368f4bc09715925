"""A plain Keras classifier on top of a trained VAE's encoder.

Prints the test accuracy of the same linear classifier on the encoder's 20 features and on the 784
pixels, learned from a few labelled images.
"""

import argparse
import os

os.environ.setdefault("KERAS_VAE_QUIET", "1")

import keras_vae

import keras


def classifier(features: keras.Model | None, input_shape) -> keras.Model:
    """A linear classifier of ten classes on the features, or on the pixels where there are none."""
    inputs = keras.Input(input_shape)
    if features is None:
        hidden = keras.layers.Flatten()(inputs)
    else:
        features.trainable = False
        # The mean of q(z|x); its scale is of no use here.
        hidden = features(inputs)["loc"]
    outputs = keras.layers.Dense(10, activation="softmax")(hidden)
    model = keras.Model(inputs, outputs)
    optimizer = keras.optimizers.Adam(1e-2)
    model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def main():
    """Trains and compares the two."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--preset", default="mnist_mlp", help="trained VAE whose encoder is taken (mnist_mlp)")
    add(
        "--dataset",
        default="typeset_digits",
        help="TFDS name of images to classify (typeset_digits)",
    )
    add("--labels", type=int, default=200, help="labelled images (200)")
    add("--epochs", type=int, default=100, help="passes over the labelled images (100)")
    options = parser.parse_args()

    keras.utils.set_random_seed(0)
    vae = keras_vae.VAE.from_preset(options.preset)
    train, test = keras_vae.datasets.load(
        options.dataset, (f"train[:{options.labels}]", "test"), batch_size=50, with_labels=True
    )
    for name, features in (("pixels", None), ("VAE's features", vae.encoder)):
        model = classifier(features, vae.event_shape)
        model.fit(train, epochs=options.epochs, shuffle=False, verbose=0)
        _, accuracy = model.evaluate(test, verbose=0)
        print(f"{options.labels} labels, linear classifier on {name}: {100 * accuracy:.1f}%")


if __name__ == "__main__":
    main()
