"""What the callbacks share.

- `run_callback`: the base class of all that log, draw or step in; what happens when.
- `picture_callback`: the base class of those that draw a picture now and then.
- `frequency`: at which steps or epochs. `step_counter`: the step that training has reached.
- `model_state`: what a training step changes besides the weights.
- `step_values`: the losses of single steps. `step_table`: a CSV file of them.
- `tensorboard`: event files. `animate`: a GIF of a folder of pictures.
- `guard`: a failure becomes one warning, and training goes on.
"""

from keras_vae.callbacks.helpers.picture_callback import PictureCallback
from keras_vae.callbacks.helpers.run_callback import RunCallback
from keras_vae.callbacks.helpers.step_table import StepTable

__all__ = ["PictureCallback", "RunCallback", "StepTable"]
