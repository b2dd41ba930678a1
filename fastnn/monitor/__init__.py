"""What to watch in a training run: statistics of tensors, dead and saturated units, the size of updates, the loss.

    assert abs(first_loss - expected_initial_loss(classes)) < 0.1
    watch, stopping = LossMonitor(), EarlyStopping(patience=5, mode="max")
    for epoch in range(epochs):
        ...                                   # optimizer.step(grads) on every batch
        if watch.update(loss):
            raise SystemExit(watch.reason)    # "loss is nan at update 17"
        if stopping.update(validation_accuracy, params):
            break
    stopping.restore(params)                  # the best weights, in place

Structures of parameters are those of `fastnn.optim`; results are Python numbers.
"""

from .stopping import EarlyStopping, LossMonitor, expected_initial_loss
from .tensors import TensorStats, dead_fraction, saturated_fraction, tensor_stats, update_ratio

__all__ = [
    "EarlyStopping",
    "LossMonitor",
    "TensorStats",
    "dead_fraction",
    "expected_initial_loss",
    "saturated_fraction",
    "tensor_stats",
    "update_ratio",
]
