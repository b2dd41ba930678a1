"""What holds for every normalisation: numeric gradients, the same bits, out=, data that is not finite, bad input."""

import json

import numpy as np
import pytest
from norms import LAYOUTS, check, problem, unaligned
from processes import run_python
from test_reference import assert_gradients
from ulps import same_bits

import fastnn as fnn

#: Every norm and way to compute it: norm, shape, options.
SMALL = [
    ("batch_norm", (6, 4), {}),
    ("batch_norm", (3, 4, 2, 2), {}),
    ("batch_norm", (2, 3, 4), {"axis": -1}),
    ("layer_norm", (3, 5), {}),
    ("layer_norm", (2, 3, 2, 2), {"axis": (-2, -1)}),
    ("rms_norm", (3, 4, 2), {"axis": 1}),
    ("group_norm", (2, 6, 3), {"groups": 3}),
    ("group_norm", (2, 4, 5, 5), {"groups": 2}),
    ("instance_norm", (2, 3, 5), {}),
    ("instance_norm", (2, 2, 26), {}),
]
#: Shapes that are cut up for threads, in every way; the float32 results of the last three are written past the caches.
BIG = [
    ("batch_norm", (2, 3, 200, 150), {}),
    ("batch_norm", (64, 3, 40, 40), {}),
    ("batch_norm", (8, 64, 14, 14), {}),
    ("batch_norm", (128, 10), {}),
    ("batch_norm", (3000, 40), {}),
    ("batch_norm", (16, 12, 11, 40), {"axis": -1}),
    ("layer_norm", (500, 1000), {}),
    ("layer_norm", (5000, 15), {}),
    ("layer_norm", (3, 70_000), {}),
    ("rms_norm", (500, 1000), {}),
    ("group_norm", (300, 32, 4), {"groups": 8}),
    ("group_norm", (8, 32, 40, 40), {"groups": 8}),
    ("instance_norm", (8, 32, 30, 30), {}),
    ("batch_norm", (16, 33, 65, 63), {}),
    ("batch_norm", (7, 3, 317, 319), {}),
    ("group_norm", (8, 36, 89, 87), {"groups": 9}),
]
small = pytest.mark.parametrize(("norm", "shape", "options"), SMALL)
big = pytest.mark.parametrize(("norm", "shape", "options"), BIG)
NORMS = ["batch_norm", "layer_norm", "rms_norm", "group_norm", "instance_norm"]
each = pytest.mark.parametrize("norm", NORMS)


def of(norm, shape=(4, 6, 5), dtype="f4", **options):
    """A problem of any norm."""
    return problem(norm, shape, dtype, **options, **({"groups": 3} if norm == "group_norm" else {}))


#: SMALL once more with an activation, which RMS norm does not take.
ACTIVATED = [(norm, shape, {**options, "activation": "tanh"}) for norm, shape, options in SMALL if norm != "rms_norm"]


@pytest.mark.parametrize("affine", [(True, True), (False, True), (True, False)])
@pytest.mark.parametrize(("norm", "shape", "options"), SMALL + ACTIVATED)
def test_gradients_are_numeric_derivatives(norm, shape, options, affine):
    given = problem(norm, shape, affine=affine, eps=0.1, **options)
    gradients = given.backward(given.forward()[1])
    arguments = given.x, *given.parameters
    assert [g is None for g in gradients] == [a is None for a in arguments]
    pairs = [(g, a) for g, a in zip(gradients, arguments, strict=True) if a is not None]
    assert_gradients(lambda: (given.dy * given.forward()[0]).sum(), pairs)


@pytest.mark.parametrize("dtype", ["f4", "f8"])
@big
def test_same_bits_whatever_the_threads_alignment_and_call(norm, shape, options, dtype):
    given = problem(norm, shape, dtype, **options)
    with fnn.threads(1):
        alone = given.results()
    shifted = given.with_(**{name: unaligned(getattr(given, name), given.x.itemsize) for name in ("x", "dy")})
    out = unaligned(np.full(shape, np.nan, dtype), 3 * given.x.itemsize)
    with fnn.threads(2):
        for other in (given.results(), given.results(), shifted.results()):
            assert all(same_bits(a, b) for a, b in zip(alone, other, strict=True) if a is not None)
        assert given.forward(out=out)[0] is out
    assert same_bits(out, alone[0])
    check(given, alone)


@small
def test_inputs_are_only_read(norm, shape, options):
    given = problem(norm, shape, "f4", **options)
    arrays = [a for a in (given.x, given.dy, *given.parameters) if a is not None]
    kept = [a.copy() for a in arrays]
    for a in arrays:
        a.flags.writeable = False
    given.results()
    assert all(same_bits(a, b) for a, b in zip(arrays, kept, strict=True))


class Tagged(np.ndarray):
    """A subclass, as units and labels are made."""


def outs(shape, folder):
    """Arrays of all kinds to write to, with the dtype of the result rounded to theirs."""
    view = np.full((2 * shape[0], *shape[1:]), np.nan, "f4")
    return {
        "C": np.full(shape, np.nan, "f4"),
        "F": np.asfortranarray(np.full(shape, np.nan, "f4")),
        "slice": view[::2],
        "reversed": view[: shape[0]][::-1],
        "unaligned": unaligned(np.full(shape, np.nan, "f4")),
        "byte-swapped": np.full(shape, np.nan, ">f4"),
        "float64": np.full(shape, np.nan),
        "float16": np.full(shape, np.nan, "f2"),
        "memmap": np.memmap(folder / "out", np.float32, "w+", shape=shape),
        "subclass": np.full(shape, np.nan, "f4").view(Tagged),
    }


@small
def test_out(norm, shape, options, tmp_path):
    given = problem(norm, shape, "f4", **options)
    y = given.forward()[0]
    for kind, out in outs(shape, tmp_path).items():
        for argument in (out, (out,)):
            result, cache = given.forward(out=argument)
            assert result is out, kind
            assert same_bits(np.asarray(out).astype(y.dtype), y.astype(out.dtype).astype(y.dtype)), kind
            assert same_bits(given.backward(cache)[0], given.results()[1]), kind


@pytest.mark.parametrize("layout", sorted(LAYOUTS))
@pytest.mark.parametrize("shape", [(6, 4), (3, 4, 5), (16, 3, 90, 80)])
def test_dx_goes_where_out_says(shape, layout, tmp_path):
    given = problem("batch_norm", shape, "f4").with_(x=LAYOUTS[layout](problem("batch_norm", shape, "f4").x))
    _, cache = given.forward()
    dx, *rest = given.backward(cache)
    for kind, out in outs(shape, tmp_path).items():
        found = given.backward(cache, out=out)
        assert found[0] is out, kind
        assert same_bits(np.asarray(out).astype("f4"), dx.astype(out.dtype).astype("f4")), kind
        assert all(same_bits(a, b) for a, b in zip(found[1:], rest, strict=True))


@pytest.mark.parametrize("layout", ["C", "F", "channels last", "sliced", "reversed", "unaligned"])
@pytest.mark.parametrize("x_layout", ["C", "F", "channels last", "sliced"])
@pytest.mark.parametrize("shape", [(6, 4), (3, 4, 5), (40, 20, 60)])
def test_dx_over_dy(shape, x_layout, layout):
    given = problem("batch_norm", shape, "f4")
    given = given.with_(x=LAYOUTS[x_layout](given.x))
    _, cache = given.forward()
    expected = given.backward(cache)
    dy = LAYOUTS[layout](given.dy)
    found = fnn.batch_norm_backward(dy, cache, out=dy)
    assert found[0] is dy
    assert all(same_bits(a, b) for a, b in zip(found, expected, strict=True))
    double = given.dy.astype("f8")
    assert fnn.batch_norm_backward(double, cache, out=double)[0] is double
    assert same_bits(double.astype("f4"), expected[0])


@pytest.mark.parametrize("shape", [(6, 4), (3, 4, 5), (40, 20, 60)])
@pytest.mark.parametrize("shift", [1, -1, 7])
def test_dx_over_a_part_of_dy(shape, shift):
    given = problem("batch_norm", shape, "f4")
    _, cache = given.forward()
    expected = given.backward(cache)
    memory = np.zeros(given.dy.size + 8, "f4")
    at, to = (0, shift) if shift > 0 else (-shift, 0)
    dy, out = (memory[k : k + given.dy.size].reshape(shape) for k in (at, to))
    dy[...] = given.dy
    found = fnn.batch_norm_backward(dy, cache, out=out)
    assert found[0] is out
    assert all(same_bits(a, b) for a, b in zip(found, expected, strict=True))


@each
def test_subclasses_and_memory_maps_as_input(norm, tmp_path):
    given = of(norm)
    mapped = np.memmap(tmp_path / "x", np.float32, "w+", shape=given.x.shape)
    mapped[...] = given.x
    expected = given.results()
    for x in (mapped, given.x.view(Tagged)):
        results = given.with_(x=x, dy=given.dy.view(Tagged)).results()
        assert all(type(r) is np.ndarray for r in results if r is not None)
        assert all(same_bits(a, b) for a, b in zip(results, expected, strict=True))


#: Norm, shape, options, and the index of one group.
GROUPS = [
    ("batch_norm", (40, 5), {}, np.s_[:, 1]),
    ("batch_norm", (4, 5, 40), {}, np.s_[:, 1]),
    ("batch_norm", (4, 3, 120, 70), {}, np.s_[:, 1]),
    ("layer_norm", (5, 40), {}, np.s_[1]),
    ("rms_norm", (5, 40), {}, np.s_[1]),
    ("group_norm", (3, 4, 5), {"groups": 2}, np.s_[1, :2]),
    ("group_norm", (3, 4, 50), {"groups": 2}, np.s_[1, :2]),
    ("instance_norm", (3, 4, 50), {}, np.s_[1, 2]),
]


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize(("norm", "shape", "options", "group"), GROUPS)
def test_nan_and_infinity_stay_in_their_group(norm, shape, options, group, first, value):
    given = problem(norm, shape, "f4", **options)
    y, cache = given.forward()
    dx = given.backward(cache)[0]
    x = given.x.copy()
    members = np.zeros(shape, bool)
    members[group] = True
    x.ravel()[np.flatnonzero(members)[0 if first else -2]] = value
    spoilt = given.with_(x=x)
    with np.errstate(all="raise", under="ignore"):
        results = spoilt.results()
    for result, clean in zip(results, (y, dx), strict=False):
        assert same_bits(result[~members], clean[~members])
        assert np.isnan(result[members]).any()
    check(spoilt, results)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize(("norm", "shape", "options", "group"), GROUPS)
def test_gradients_that_are_not_finite_stay_in_their_group(norm, shape, options, group, value):
    given = problem(norm, shape, "f4", **options)
    members = np.zeros(shape, bool)
    members[group] = True
    dy = given.dy.copy()
    dy.ravel()[np.flatnonzero(members)[:2]] = value, -value
    spoilt = given.with_(dy=dy)
    with np.errstate(all="raise", under="ignore"):
        results = spoilt.results()
    assert same_bits(results[1][~members], given.results()[1][~members])
    assert np.isnan(results[1][members]).all()
    check(spoilt, results)


@pytest.mark.parametrize(("norm", "shape", "options", "group"), GROUPS)
def test_without_eps(norm, shape, options, group):
    """A constant group has no normal form then: NaN, as 0 / 0, and no warning; the others are as ever."""
    given = problem(norm, shape, "f4", eps=0.0, **options)
    check(given)
    x = given.x.copy()
    x[group] = 0
    constant = given.with_(x=x)
    with np.errstate(all="raise", under="ignore"):
        results = constant.results()
    assert np.isnan(results[0][group]).all()
    check(constant, results)


@each
@pytest.mark.parametrize("dtype", ["c8", "O", "U3", "M8[s]", "g"])
def test_dtypes_that_no_norm_takes(norm, dtype):
    given = of(norm)
    for argument in ("x", "gamma"):
        wrong = np.zeros(np.shape(getattr(given, argument)), dtype)
        with pytest.raises(TypeError, match=f"{norm}_forward: {argument} has dtype"):
            given.with_(**{argument: wrong}).forward()
    with pytest.raises(TypeError, match=f"{norm}_backward: dy has dtype"):
        given.with_(dy=np.zeros(given.x.shape, dtype)).backward(given.forward()[1])


@each
@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"eps": -1e-9}, ValueError, "eps is -1e-09, expected a finite number >= 0"),
        ({"eps": np.nan}, ValueError, "eps is nan"),
        ({"eps": np.inf}, ValueError, "eps is inf"),
        ({"eps": "small"}, TypeError, "eps is 'small'"),
        ({"out": np.ones((4, 5, 6))}, ValueError, r"out has shape \(4, 5, 6\), expected \(4, 6, 5\)"),
        ({"out": np.ones((4, 6, 5), int)}, TypeError, "out has dtype int64"),
        ({"out": np.broadcast_to(0.0, (4, 6, 5))}, ValueError, "out is read-only"),
        ({"out": [1.0]}, TypeError, "out is a list"),
        ({"out": (np.ones((4, 6, 5)), None)}, ValueError, "out is a tuple of 2"),
    ],
)
def test_bad_options(norm, options, error, message):
    with pytest.raises(error, match=f"{norm}_forward: {message}"):
        of(norm).forward(**options)


@pytest.mark.parametrize("norm", [name for name in NORMS if name != "rms_norm"])
@pytest.mark.parametrize(
    ("activation", "error", "message"),
    [
        ("rulu", ValueError, "activation is 'rulu'"),
        (3, TypeError, "activation is 3"),
        (("relu", 1.0), TypeError, "relu has no parameter"),
        (("leaky_relu", 0.1, 0.2), ValueError, "a tuple of length 3"),
        (("leaky_relu", np.nan), ValueError, "the parameter of activation leaky_relu is nan"),
        ("threshold", TypeError, "leaves threshold, value without a value"),
        (np.tanh, (TypeError, ValueError), "activation is"),
    ],
)
def test_bad_activations(norm, activation, error, message):
    out = np.full((4, 6, 5), np.nan, "f4")
    with pytest.raises(error, match=f"{norm}_forward: .*{message}"):
        of(norm).forward(activation=activation, out=out)
    assert np.isnan(out).all()


@each
def test_out_apart_from_what_backward_reads(norm):
    given = of(norm, (6, 6, 6))
    for out in (given.x, given.x[::-1], given.x.transpose(1, 0, 2)):
        with pytest.raises(ValueError, match=f"{norm}_forward: out overlaps x"):
            given.forward(out=out)
    memory = np.zeros((7, 6, 6), "f4")
    memory[1:] = given.x
    with pytest.raises(ValueError, match="out overlaps x"):
        given.with_(x=memory[1:]).forward(out=memory[:-1])
    out = np.zeros((6, 6, 6), "f4")
    with pytest.raises(ValueError, match="out overlaps gamma"):
        given.with_(gamma=out[3, 2]).forward(out=out)


@each
def test_bad_gradients_and_caches(norm):
    given = of(norm)
    _, cache = given.forward()
    with pytest.raises(ValueError, match=rf"{norm}_backward: dy has shape \(4, 5, 6\), expected \(4, 6, 5\)"):
        given.with_(dy=np.ones((4, 5, 6))).backward(cache)
    for wrong in (None, (given.x,), *(of(other).forward()[1] for other in NORMS if other != norm)):
        with pytest.raises(TypeError, match=f"{norm}_backward: cache is .* expected what {norm}_forward returned"):
            given.backward(wrong)


_INTERPRETED = """
import json, sys
sys.path[:0] = json.loads(PATHS)
import numpy as np
from norms import problem
out = {}
for k, (norm, shape, options) in enumerate(json.loads(PROBLEMS)):
    options = {n: tuple(v) if isinstance(v, list) else v for n, v in options.items()}
    for dtype in ("f2", "f4", "f8"):
        for j, result in enumerate(problem(norm, shape, dtype, **options).results()):
            out[f"{k} {dtype} {j}"] = result
np.savez(RESULTS, **out)
"""


def test_without_the_jit(tmp_path):
    given = [*SMALL, ("batch_norm", (3, 17), {"activation": "tanh"}), ("layer_norm", (2, 35), {"activation": "relu"})]
    results = []
    for disable in ("0", "1"):
        path = str(tmp_path / f"{disable}.npz")
        code = _INTERPRETED.replace("PATHS", repr(json.dumps([__file__.rpartition("/")[0]])))
        code = code.replace("PROBLEMS", repr(json.dumps([(n, list(s), o) for n, s, o in given])))
        run_python(code.replace("RESULTS", repr(path)), NUMBA_DISABLE_JIT=disable)
        with np.load(path) as data:
            results.append({name: data[name] for name in data.files})
    compiled, interpreted = results
    assert len(compiled) == len(interpreted) > 3 * 3 * len(given)
    for name, expected in compiled.items():
        eps = np.finfo(expected.dtype).eps  # the interpreter's fma rounds twice
        scale = np.abs(expected).max().astype("f8")
        assert interpreted[name].dtype == expected.dtype
        np.testing.assert_allclose(interpreted[name], expected, rtol=4 * eps, atol=8 * eps * scale, err_msg=name)
