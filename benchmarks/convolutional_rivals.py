"""The same training of convolutional networks, by this package and by PyTorch.

`rival(images, sizes)` returns `run(steps)`, as in `benchmarks/rivals.py`. Two networks: that of the
VAE example on keras.io (28x28, batches of 128), and that of Burgess et al. (64x64, batches of 64).
"""

from dataclasses import dataclass

RATE = 1e-3


@dataclass(frozen=True)
class Convolutions:
    """What a run trains.

    Attributes:
        name: `"keras_io"` or `"burgess"`.
        batch: Images a step.
        side: Height and width of an image.
        latent: Latents.
        filters: Of the encoder's convolutions, each with stride 2.
        kernel: Side of a kernel.
        hidden: Units of the encoder's layers after the convolutions.
        decoder_hidden: Units of the decoder's layers before the image is a small one again.
    """

    name: str
    batch: int
    side: int
    latent: int
    filters: tuple
    kernel: int
    hidden: tuple
    decoder_hidden: tuple

    @property
    def pixels(self) -> int:
        """Pixels an image."""
        return self.side**2


NETWORKS = {
    "keras_io": Convolutions("keras_io", 128, 28, 2, (32, 64), 3, (16,), ()),
    "burgess": Convolutions("burgess", 64, 64, 10, (32,) * 4, 4, (256, 256), (256, 256)),
}


def ours(images, sizes, **compile_arguments):
    """`keras_vae` with `fit` and no argument but the optimizer."""
    import keras_vae

    import keras

    shape = (sizes.side, sizes.side, 1)
    if sizes.name == "keras_io":
        networks = (
            keras_vae.networks.conv_encoder(shape, sizes.latent),
            keras_vae.networks.conv_decoder(shape, sizes.latent),
        )
    else:
        networks = (
            keras_vae.networks.burgess_encoder(shape, sizes.latent),
            keras_vae.networks.burgess_decoder(shape, sizes.latent),
        )
    vae = keras_vae.VAE(*networks, seed=0)
    vae.compile(keras.optimizers.Adam(RATE), **compile_arguments)
    images = images.reshape(-1, *shape)
    batches = keras_vae.datasets.from_arrays(images, batch_size=sizes.batch).repeat()
    return lambda steps: vae.fit(batches, steps_per_epoch=steps, verbose=0)


def ours_xla(images, sizes):
    """The same with XLA, a step a call."""
    return ours(images, sizes, steps_per_execution=1, jit_compile=True)


def stock_fit(images, sizes):
    """A Keras model as tutorials write it, as in `benchmarks/rivals.py`, of keras.io's networks."""
    import rivals

    import keras
    from keras import layers

    small, padded = sizes.side // 4, {"strides": 2, "padding": "same", "activation": "relu"}
    encoder = keras.Sequential(
        [
            keras.Input((sizes.side, sizes.side, 1)),
            *(layers.Conv2D(filters, sizes.kernel, **padded) for filters in sizes.filters),
            layers.Flatten(),
            *(layers.Dense(units, activation="relu") for units in sizes.hidden),
            layers.Dense(2 * sizes.latent),
        ]
    )
    outputs = sizes.filters[::-1]
    decoder = keras.Sequential(
        [
            keras.Input((sizes.latent,)),
            layers.Dense(small**2 * outputs[0], activation="relu"),
            layers.Reshape((small, small, outputs[0])),
            *(layers.Conv2DTranspose(filters, sizes.kernel, **padded) for filters in outputs),
            layers.Conv2DTranspose(1, sizes.kernel, padding="same"),
        ]
    )
    return rivals.stock_training(
        encoder, decoder, images.reshape(-1, sizes.side, sizes.side, 1), sizes.batch
    )


def pytorch(images, sizes, channels_last=False):
    """PyTorch by hand: in-memory tensor, random permutation, fused Adam."""
    import torch
    from torch import nn

    torch.manual_seed(0)
    memory_format = torch.channels_last if channels_last else torch.contiguous_format
    # Padding that halves every side, as "same" does in Keras.
    kernel, padding = sizes.kernel, (sizes.kernel - 1) // 2
    small = sizes.side // 2 ** len(sizes.filters)
    layers, channels = [], 1
    for filters in sizes.filters:
        layers += [nn.Conv2d(channels, filters, kernel, 2, padding), nn.ReLU()]
        channels = filters
    layers += [nn.Flatten()]
    units = channels * small**2
    for hidden in sizes.hidden:
        layers += [nn.Linear(units, hidden), nn.ReLU()]
        units = hidden
    encoder = nn.Sequential(*layers, nn.Linear(units, 2 * sizes.latent))
    layers, units = [], sizes.latent
    for hidden in (*sizes.decoder_hidden, channels * small**2):
        layers += [nn.Linear(units, hidden), nn.ReLU()]
        units = hidden
    layers += [nn.Unflatten(1, (channels, small, small))]
    # keras.io's decoder mirrors the encoder and ends in a convolution of stride 1; Burgess's ends
    # in the last of those that double.
    extra = kernel % 2
    outputs = [*sizes.filters[::-1]] if extra else [*sizes.filters[:-1], 1]
    for filters in outputs:
        up = nn.ConvTranspose2d(channels, filters, kernel, 2, padding, output_padding=extra)
        layers += [up, nn.ReLU()]
        channels = filters
    last = nn.ConvTranspose2d(channels, 1, kernel, 1, padding)
    decoder = nn.Sequential(*([*layers, last] if extra else layers[:-1]))
    encoder, decoder = (net.to(memory_format=memory_format) for net in (encoder, decoder))
    weights = [*encoder.parameters(), *decoder.parameters()]
    optimizer = torch.optim.Adam(weights, lr=RATE, fused=True)
    data = torch.from_numpy(images).reshape(-1, 1, sizes.side, sizes.side)
    data = data.to(memory_format=memory_format)
    whole = len(images) // sizes.batch * sizes.batch

    def run(steps):
        done = 0
        while done < steps:
            for rows in torch.randperm(len(images))[:whole].split(sizes.batch):
                x = data[rows].contiguous(memory_format=memory_format)
                loc, log_variance = encoder(x).chunk(2, dim=-1)
                logits = decoder(loc + (0.5 * log_variance).exp() * torch.randn_like(loc))
                loss = nn.functional.binary_cross_entropy_with_logits(logits, x, reduction="sum")
                loss = loss + 0.5 * (loc.square() + log_variance.exp() - 1 - log_variance).sum()
                optimizer.zero_grad(set_to_none=True)
                (loss / len(x)).backward()
                optimizer.step()
                done += 1
                if done == steps:
                    break
        loss.item()

    return run


def pytorch_channels_last(images, sizes):
    """PyTorch with images and weights in the memory format of channels last."""
    return pytorch(images, sizes, channels_last=True)


RIVALS = {
    "conv_ours": ours,
    "conv_ours_xla": ours_xla,
    "conv_pytorch": pytorch,
    "conv_pytorch_channels_last": pytorch_channels_last,
}
