"""In float64, networks of all kinds train over the ranks of COMM_WORLD as in one process with the whole batches."""

import numpy as np

from fastnn.cli.data import ImageSet
from fastnn.cli.network import Network, Settings
from fastnn.cli.parallel import OneProcess, Ranks
from fastnn.cli.training import Plan, Run
from fastnn.compat import mpi

#: (settings, plan)
CASES = [
    ({"norm": "batch", "dropout": 0.3, "activation": "gelu"}, {"optimizer": "adam"}),
    ({"norm": "batch", "activation": "gelu", "l2": 0.01, "l1": 0.001}, {"optimizer": "sgd", "shift": 1}),
    ({"norm": "layer", "dropout": 0.4, "activation": "rrelu"}, {"optimizer": "adam", "patience": 2}),
    ({"norm": "none", "activation": "maxout"}, {"optimizer": "adam", "schedule": "one-cycle"}),
]


def images(count):
    rng = np.random.default_rng(5)
    pixels = rng.normal(size=(count, 12))
    return ImageSet(pixels, pixels[:, :3].argmax(axis=1), (3, 4))


def trained(ranks, settings, plan):
    """(what the epochs showed, all weights, statistics and averages)."""
    rng = np.random.default_rng(6)
    network = Network(Settings((12, 8, 8, 3), **settings), rng)
    network.widen()
    # 50 images in batches of 16, the last of 2: on three ranks one of them has none
    run = Run(network, images(50), images(20), Plan(epochs=4, batch_size=16, **plan), rng, ranks)
    history = np.array(list(run.epochs()))
    return history, [*network.running, *(array for layer in network.params for array in layer.values())]


ranks = Ranks(mpi)
for settings, plan in CASES:
    history, arrays = trained(ranks, settings, plan)
    expected_history, expected_arrays = trained(OneProcess(), settings, plan)
    assert len(history) == 4 or "patience" in plan
    np.testing.assert_allclose(history, expected_history, rtol=1e-10)
    for array, expected in zip(arrays, expected_arrays, strict=True):
        np.testing.assert_allclose(array, expected, rtol=1e-9, atol=1e-10)
    every = ranks.comm.allgather([array.tobytes() for array in arrays])
    assert all(other == every[0] for other in every)
    if ranks.first:
        print(settings, plan)
