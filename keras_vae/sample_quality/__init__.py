"""How good a model's samples are: two sets of points, real and generated, and how they differ.

One measure a file, arrays in, dict out. Points are `[n, features]`: features of images, of which
`mnist_features` are those of a small classifier of digits that ships with the package, or anything
else that says what is in an image. `evaluate` takes images and has them all.

| measure | asks | best |
|---|---|---|
| `two_sample_test` | can a classifier tell real from generated? | accuracy and ROC-AUC 0.5 |
| `precision_recall` | does each set lie within the other? | 1 and 1 |
| `frechet_distance` | how far apart are the Gaussians of their mean and covariance? | 0 |

Distances depend on the features. In those of another network, such as the one that gave the FID its
name, they are other numbers, which must not be compared with these.
"""

from keras_vae.sample_quality.evaluate import evaluate
from keras_vae.sample_quality.features import mnist_features
from keras_vae.sample_quality.frechet_distance import frechet_distance
from keras_vae.sample_quality.precision_recall import precision_recall
from keras_vae.sample_quality.two_sample_test import two_sample_test

__all__ = [
    "evaluate",
    "frechet_distance",
    "mnist_features",
    "precision_recall",
    "two_sample_test",
]
