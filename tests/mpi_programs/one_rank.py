"""Every function with a communicator of this process alone; run without mpiexec."""

import doctest
import pickle

import numpy as np
import pytest
from norms import VARIANTS, check, problem

import fastnn as fnn
from fastnn.compat import mpi

SELF = mpi.MPI.COMM_SELF
X = np.ones((4, 3))


def as_without_ranks():
    for dtype, activation in VARIANTS:
        given = problem("batch_norm", (20, 5, 6), dtype, axis=1, activation=activation)
        running, alone = ([np.zeros(5, "f4"), np.ones(5)] for _ in range(2))
        options = {"momentum": 0.25, "unbiased_running_var": dtype == "f4", **given.options}
        y, cache = mpi.batch_norm_forward(given.x, given.gamma, given.beta, *running, comm=SELF, **options)
        fnn.batch_norm_forward(given.x, given.gamma, given.beta, *alone, **options)
        for found, expected in zip(running, alone, strict=True):
            np.testing.assert_allclose(found, expected, rtol=1e-6 if found.dtype == "f4" else 1e-13)
        check(given, (y, *mpi.batch_norm_backward(given.dy, cache)), wider=2 if dtype == "f8" else 1)


def outputs():
    given = problem("batch_norm", (20, 5), "f4", axis=1)
    out, dx = np.full((20, 5), np.nan, "f4"), given.dy.copy()
    y, cache = mpi.batch_norm_forward(given.x, given.gamma, given.beta, out=out, comm=SELF)
    assert y is out
    results = mpi.batch_norm_backward(dx, cache, out=dx)
    assert results[0] is dx
    check(given, (y, *results))
    with pytest.raises(ValueError, match="batch_norm_forward: out overlaps x"):
        mpi.batch_norm_forward(given.x, None, None, out=given.x, comm=SELF)
    with pytest.raises(ValueError, match="batch_norm_backward: out overlaps x"):
        mpi.batch_norm_backward(given.dy, cache, out=given.x)


def wrong_arguments():
    for error, message, options in [
        (TypeError, "x has dtype", {"x": X.astype(complex)}),
        (ValueError, r"gamma has shape \(2,\)", {"gamma": np.ones(2)}),
        (ValueError, r"running_var has shape \(4,\)", {"running_var": np.ones(4)}),
        (TypeError, "running_mean is a list", {"running_mean": [0.0, 0.0, 0.0]}),
        (ValueError, "eps is -1", {"eps": -1}),
        (TypeError, "momentum is None", {"momentum": None}),
        (ValueError, "axis is 2", {"axis": 2}),
        (ValueError, "activation is 'rulu'", {"activation": "rulu"}),
        (TypeError, "comm is 1, expected an mpi4py.MPI.Intracomm", {"comm": 1}),
        (TypeError, "comm is .*, expected an mpi4py.MPI.Intracomm", {"comm": mpi.MPI.COMM_NULL}),
        (ValueError, "x has 1 values a channel", {"x": X[:1]}),
    ]:
        running = np.zeros(3)
        arguments = {"x": X, "gamma": None, "beta": None, "running_mean": running, "comm": SELF, **options}
        with pytest.raises(error, match=f"^batch_norm_forward: {message}"):
            mpi.batch_norm_forward(**arguments)
        assert not running.any()
    _, cache = mpi.batch_norm_forward(X, None, None, comm=SELF)
    with pytest.raises(ValueError, match=r"batch_norm_backward: dy has shape \(3,\)"):
        mpi.batch_norm_backward(X[0], cache)
    with pytest.raises(TypeError, match="batch_norm_backward: cache is a BatchNormCache, expected what"):
        mpi.batch_norm_backward(X, fnn.batch_norm_forward(X, None, None)[1])


def wrong_gradients_and_parameters():
    read_only = np.broadcast_to(np.ones(1), 3)
    for call in (mpi.average_gradients, mpi.broadcast_parameters):
        argument = "grads" if call is mpi.average_gradients else "params"
        for error, message, tree in [
            (TypeError, rf'{argument}\["a"\]\[0\] has dtype int64, expected float32', {"a": [np.ones(2, np.int64)]}),
            (TypeError, f"{argument} has dtype float16", np.ones(2, "f2")),
            (TypeError, f"{argument} has dtype >f4", np.ones(2, ">f4")),
            (TypeError, rf"{argument}\[1\] is a float", [np.ones(2), 1.0]),
            (ValueError, f"{argument} is read-only", read_only),
        ]:
            with pytest.raises(error, match=f"^{call.__name__}: {message}"):
                call(tree, SELF)
    for options, message in [
        ({"weight": -1}, "weight is -1, expected a finite number >= 0"),
        ({"weight": np.inf}, "weight is inf"),
        ({"weight": 0}, "weight is 0 on all ranks"),
        ({"reduction": "max"}, "reduction is 'max', expected one of mean, sum"),
    ]:
        grad = np.ones(3)
        with pytest.raises(ValueError, match=f"^average_gradients: {message}"):
            mpi.average_gradients([grad], SELF, **options)
        assert grad.tolist() == [1.0] * 3
    with pytest.raises(ValueError, match="broadcast_parameters: root is 1, expected 0 to 0"):
        mpi.broadcast_parameters(np.ones(3), SELF, root=1)
    with pytest.raises(TypeError, match="broadcast_parameters: params is a NoneType"):
        mpi.broadcast_parameters(None, SELF)
    with pytest.raises(ValueError, match="shard: n is -1, expected at least 0"):
        mpi.shard(-1, SELF)
    with pytest.raises(TypeError, match=r"shard: n is 2\.5, expected an integer"):
        mpi.shard(2.5, SELF)


def nonfinite_data():
    x = np.array([[np.nan, 1.0, 1.0], [2.0, np.inf, 3.0]])
    running = np.zeros(3)
    with np.errstate(all="raise"):
        y, _ = mpi.batch_norm_forward(x, None, None, running, comm=SELF)
        grads = np.array([np.nan, np.inf])
        mpi.average_gradients(grads, SELF, weight=3)
    assert np.isnan(y[:, :2]).all()
    np.testing.assert_array_equal(np.isfinite(running), [False, False, True])
    np.testing.assert_array_equal(grads, [np.nan, np.inf])


def examples():
    assert set(mpi.__all__) == {name for name in mpi.__all__ if ">>>" in getattr(mpi, name).__doc__}
    results = doctest.testmod(mpi)
    assert (results.failed, results.attempted > 10) == (0, True)
    assert pickle.loads(pickle.dumps(mpi.shard)) is mpi.shard


for part in (as_without_ranks, outputs, wrong_arguments, wrong_gradients_and_parameters, nonfinite_data, examples):
    part()
    print(part.__name__)
