"""The same training of residual networks, by this package and by PyTorch.

`rival(images, sizes)` returns `run(steps)`, as in `benchmarks/rivals.py`: the networks of
`keras_vae.networks.residual_encoder` with one block a stage and 32 channels in the first, 16
latents, of 64x64 and 128x128 pixels, grey and in colour, in batches of 32.
"""

from dataclasses import dataclass

RATE = 1e-3


@dataclass(frozen=True)
class Residual:
    """What a run trains.

    Attributes:
        name: How it is called.
        side: Height and width of an image, a power of 2.
        channels: Of an image.
        batch: Images a step.
        latent: Latents.
        width: Channels of the first stage.
    """

    name: str
    side: int
    channels: int
    batch: int = 32
    latent: int = 16
    width: int = 32

    @property
    def pixels(self) -> int:
        """Numbers an image."""
        return self.side**2 * self.channels

    @property
    def filters(self) -> list[int]:
        """Channels of each stage, to images of 4x4."""
        count = self.side.bit_length() - 3
        return [self.width * min(2**stage, 4) for stage in range(count)]


NETWORKS = {
    f"residual_{side}_{name}": Residual(f"residual_{side}_{name}", side, channels)
    for side in (64, 128)
    for name, channels in (("grey", 1), ("colour", 3))
}


def ours(images, sizes):
    """`keras_vae` with `fit` and no argument but the optimizer."""
    import keras_vae

    import keras

    shape = (sizes.side, sizes.side, sizes.channels)
    vae = keras_vae.VAE(
        keras_vae.networks.residual_encoder(shape, sizes.latent, width=sizes.width),
        keras_vae.networks.residual_decoder(shape, sizes.latent, width=sizes.width),
        seed=0,
    )
    vae.compile(keras.optimizers.Adam(RATE))
    images = images.reshape(-1, *shape)
    batches = keras_vae.datasets.from_arrays(images, batch_size=sizes.batch).repeat()
    return lambda steps: vae.fit(batches, steps_per_epoch=steps, verbose=0)


def pytorch(images, sizes, channels_last=False):
    """PyTorch by hand: in-memory tensor, random permutation, fused Adam."""
    import torch
    from torch import nn

    torch.manual_seed(0)
    memory_format = torch.channels_last if channels_last else torch.contiguous_format

    class Block(nn.Module):
        """What it is given plus two convolutions of it."""

        def __init__(self, channels):
            super().__init__()
            self.first = nn.Conv2d(channels, channels, 3, padding=1)
            self.second = nn.Conv2d(channels, channels, 3, padding=1)
            nn.init.zeros_(self.second.weight)

        def forward(self, x):
            """Of `[batch, channels, height, width]`."""
            silu = nn.functional.silu
            return x + self.second(silu(self.first(silu(x))))

    filters = sizes.filters
    down, up, channels = [], [], sizes.channels
    for count in filters:
        down += [nn.Conv2d(channels, count, 4, 2, 1), Block(count)]
        channels = count
    for count in [*filters[-2::-1], sizes.channels]:
        up += [Block(channels), nn.SiLU(), nn.ConvTranspose2d(channels, count, 4, 2, 1)]
        channels = count
    smallest = filters[-1], 4, 4
    encoder = nn.Sequential(
        *down, nn.SiLU(), nn.Flatten(), nn.Linear(16 * filters[-1], 2 * sizes.latent)
    )
    decoder = nn.Sequential(
        nn.Linear(sizes.latent, 16 * filters[-1]), nn.Unflatten(1, smallest), *up
    )
    encoder, decoder = (net.to(memory_format=memory_format) for net in (encoder, decoder))
    weights = [*encoder.parameters(), *decoder.parameters()]
    optimizer = torch.optim.Adam(weights, lr=RATE, fused=True)
    data = torch.from_numpy(images).reshape(-1, sizes.side, sizes.side, sizes.channels)
    data = data.permute(0, 3, 1, 2).contiguous(memory_format=memory_format)
    whole = len(images) // sizes.batch * sizes.batch

    def run(steps):
        done = 0
        while done < steps:
            for rows in torch.randperm(len(images))[:whole].split(sizes.batch):
                x = data[rows].contiguous(memory_format=memory_format)
                loc, raw_scale = encoder(x).chunk(2, dim=-1)
                scale = nn.functional.softplus(raw_scale) + 1e-6
                logits = decoder(loc + scale * torch.randn_like(loc))
                loss = nn.functional.binary_cross_entropy_with_logits(logits, x, reduction="sum")
                kl = 0.5 * (loc.square() + scale.square() - 1) - scale.log()
                optimizer.zero_grad(set_to_none=True)
                ((loss + kl.sum()) / len(x)).backward()
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
    "residual_ours": ours,
    "residual_pytorch": pytorch,
    "residual_pytorch_channels_last": pytorch_channels_last,
}
