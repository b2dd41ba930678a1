"""Training in one process, or in several that mpiexec has started: data-parallel, with the numbers of one.

Every rank has the images, the network and the optimiser, takes its rows of every batch, and gets the loss and the
gradients of the whole batch, the same bits on all. What is random is drawn for the whole batch, from generators that
are alike on all ranks. So the numbers are those of one process with batches as large as all ranks' together, up to
rounding.
"""

import contextlib
import os
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

import fastnn as fnn

from .errors import CommandError
from .network import Network
from .stages import BatchNorm, Dropout, RRelu, Stage

#: What says how many processes a launcher has started: Open MPI's; MPICH's, Intel MPI's and Slurm's PMI.
_SIZES = ("OMPI_COMM_WORLD_SIZE", "PMI_SIZE")
_UNKNOWN = "several"
#: Seconds after which a rank reports bad input, unless rank 0, which mostly has the same, has ended all by then.
_AFTER_THE_FIRST = 1.0


class OneProcess:
    """Training in this process alone."""

    size = 1
    #: Whether this is the process that prints and writes files.
    first = True

    def together(self) -> contextlib.AbstractContextManager[Any]:
        """Around the work: what ends one process ends all."""
        return contextlib.nullcontext()

    def share(self, network: Network) -> None:
        """Make a network compute with this rank's rows of each batch."""

    def loss_and_gradients(
        self, network: Network, images: np.ndarray, labels: np.ndarray, rng: np.random.Generator
    ) -> tuple[float, list[dict[str, np.ndarray]], int]:
        """(loss, its gradients, how many images are classified right) of a whole batch in training."""
        loss, grads, logits = network.loss_and_gradients(images, labels, rng)
        return loss, grads, int(np.count_nonzero(logits.argmax(axis=1) == labels))

    def from_first(self, compute: Callable[[], Any]) -> Any:
        """What `compute` gives in the first process, for decisions that have to be the same in all."""
        return compute()


class Ranks(OneProcess):
    """Training by all ranks of an MPI world."""

    def __init__(self, mpi: Any):
        self.mpi, self.comm = mpi, mpi.MPI.COMM_WORLD
        self.size, self.first = self.comm.size, self.comm.rank == 0
        #: Of the batch that is being computed: the number of images, and those that are this rank's.
        self.count, self.rows = 0, slice(0, 0)

    @contextlib.contextmanager
    def together(self) -> Iterator[None]:
        try:
            yield
        except BaseException as error:  # also a Ctrl-C: the others would wait for this rank without end
            if isinstance(error, CommandError) and not self.first:
                time.sleep(_AFTER_THE_FIRST)
            self.comm.Abort(_reported(error))

    def share(self, network: Network) -> None:
        network.stages = [_shared(stage, self) for stage in network.stages]
        self.mpi.broadcast_parameters([network.params, network.running], self.comm)

    def loss_and_gradients(
        self, network: Network, images: np.ndarray, labels: np.ndarray, rng: np.random.Generator
    ) -> tuple[float, list[dict[str, np.ndarray]], int]:
        self.count, self.rows = len(labels), self.mpi.shard(len(labels), self.comm)
        own = labels[self.rows]
        logits, caches = network.forward(images[self.rows], rng)
        loss, dlogits = fnn.softmax_cross_entropy(logits, own, reduction="sum")
        grads = network.backward(dlogits, caches)
        shown = np.array([loss, np.count_nonzero(logits.argmax(axis=1) == own)], np.float64)
        self.mpi.average_gradients([grads, shown], self.comm, weight=len(own), reduction="sum")
        return float(shown[0]), grads, round(shown[1] * self.count)

    def from_first(self, compute: Callable[[], Any]) -> Any:
        return self.comm.bcast(compute() if self.first else None)


def started() -> OneProcess:
    """The processes of this command; plain Python, without MPI, unless a launcher has started several."""
    size = next((os.environ[name] for name in _SIZES if name in os.environ), None)
    if size is None:  # PMIx says nothing of the size, Slurm does
        size = os.environ.get("SLURM_STEP_NUM_TASKS", _UNKNOWN) if "PMIX_RANK" in os.environ else "1"
    if size == "1":
        return OneProcess()
    try:
        from fastnn.compat import mpi
    except ImportError as error:
        raise CommandError(f"one of {size} processes: {' '.join(str(error).split())}") from None
    ranks = Ranks(mpi)
    if size not in (str(ranks.size), _UNKNOWN):
        library = mpi.MPI.Get_library_version().split(",")[0]
        raise CommandError(f"one of {size} processes, but {library} knows of {ranks.size}: use its own mpiexec")
    return ranks


def _reported(error: BaseException) -> int:
    """Say on standard error what has ended the work; the exit code for it."""
    if isinstance(error, CommandError):
        message, code = f"fastnn train: error: {error}", 2
    elif isinstance(error, KeyboardInterrupt):
        message, code = "interrupted", 130
    else:
        message, code = "".join(traceback.format_exception(error)), 1
    print(message, file=sys.stderr, flush=True)
    return code


# --- stages to which it matters that a batch is divided ---------------------------------------------------------------


def _shared(stage: Stage, ranks: Ranks) -> Stage:
    """The stage for this rank's rows, with the parameters of the given one."""
    if isinstance(stage, BatchNorm):
        return _BatchNorm(stage, ranks)
    if isinstance(stage, Dropout):
        return _Dropout(stage, ranks)
    return _RRelu(ranks) if isinstance(stage, RRelu) else stage


class _BatchNorm(BatchNorm):
    """With the statistics of the whole batch."""

    def __init__(self, stage: BatchNorm, ranks: Ranks):
        self.activation, self.params, self.running = stage.activation, stage.params, stage.running
        self.ranks = ranks

    def forward(self, h: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, Any]:
        return self.ranks.mpi.batch_norm_forward(
            h, **self.params, running_mean=self.running[0], running_var=self.running[1], activation=self.activation,
            comm=self.ranks.comm,
        )  # fmt: skip

    def backward(self, dy: np.ndarray, cache: Any) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        dh, dgamma, dbeta = self.ranks.mpi.batch_norm_backward(dy, cache, out=dy)
        return dh, {"gamma": dgamma, "beta": dbeta}


class _Dropout(Dropout):
    """With this rank's rows of the whole batch's mask, of which an element depends on its place in that batch."""

    def __init__(self, stage: Dropout, ranks: Ranks):
        super().__init__(stage.p)
        self.ranks = ranks

    def forward(self, h: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        ones = np.ones((self.ranks.count, h.shape[1]), h.dtype)
        factors = fnn.dropout_forward(ones, self.p, rng=rng, out=ones)[0][self.ranks.rows]
        return np.multiply(h, factors, out=h), factors

    def backward(self, dy: np.ndarray, factors: np.ndarray) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        return np.multiply(dy, factors, out=dy), {}


class _RRelu(RRelu):
    """With this rank's rows of the whole batch's slopes."""

    def __init__(self, ranks: Ranks):
        super().__init__()
        self.ranks = ranks

    def forward(self, h: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, Any]:
        negative = np.full((self.ranks.count, h.shape[1]), -1, h.dtype)
        slopes = -fnn.rrelu_forward(negative, rng=rng)[0][self.ranks.rows]
        return fnn.leaky_relu(h, slopes), (h, slopes)

    def backward(self, dy: np.ndarray, cache: Any) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        return fnn.leaky_relu_backward(dy, *cache), {}
