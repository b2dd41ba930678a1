"""What holds for every elementwise function alike: the ufunc contract, dtypes, memory, threads, errors."""

import copy
import inspect
import pickle
import threading

import numpy as np
import pytest
from cases import CASES
from ulps import same_bits

import fastnn as fnn
from fastnn import reference

#: Around the kernels' block lengths, and past the size at which calls use several threads.
STRADDLING = (*range(201), 255, 256, 257, 1023, 1025, 4097)
LARGE = 300_007


def functions(case):
    """(function, number of array arguments, parameters) for f, f_backward and f_backward_from_output."""
    names = [(case.name, 1), (f"{case.name}_backward", 2)]
    if case.from_output:
        names.append((f"{case.name}_backward_from_output", 2))
    return [(getattr(fnn, name), arrays, case.default) for name, arrays in names]


def arguments(arrays, shape, dtype=np.float32, seed=0):
    rng = np.random.default_rng(seed)
    return [(rng.standard_normal(shape) * 4).astype(dtype) for _ in range(arrays)]


def test_ufuncs_are_ufuncs(case):
    for f, arrays, parameters in functions(case):
        if parameters:
            assert callable(f)
            assert not isinstance(f, type)
        else:
            assert isinstance(f, np.ufunc)
            assert f.nin == arrays
            assert f.nout == 1


def test_names_and_docstrings(case):
    assert case.name in fnn.activations.NAMES
    for f, _, _ in functions(case):
        assert f.__doc__
        assert len(f.__doc__.strip()) > 40
    assert getattr(fnn, case.name).__name__ == case.name
    for alias in case.aliases:
        assert getattr(fnn, alias) is getattr(fnn, case.name)
        assert getattr(fnn, f"{alias}_backward") is getattr(fnn, f"{case.name}_backward")


def test_every_public_activation_has_a_row_and_a_reference():
    without_row = {"prelu", "rrelu", "softmax", "log_softmax", "logsumexp", "maxout", "glu"}
    aliases = {alias for case in CASES.values() for alias in case.aliases}
    missing = set(fnn.activations.NAMES) - set(CASES) - without_row - aliases
    assert not missing
    for name in CASES:
        assert hasattr(reference, name)
        assert hasattr(reference, f"{name}_backward")


def test_reference_has_the_same_parameters(case):
    for f, arrays, _ in functions(case):
        twin = inspect.signature(getattr(reference, f.__name__)).parameters.values()
        if isinstance(f, np.ufunc):
            assert len(twin) == arrays
            continue
        ours = [p for p in inspect.signature(f).parameters.values() if p.kind is p.POSITIONAL_OR_KEYWORD]
        named = [(p.name, p.default) for p in ours if p.name not in ("out", "where")]
        assert named == [(p.name, p.default) for p in twin]


def test_pickle_and_copy_are_identity(case):
    for f, _, _ in functions(case):
        assert pickle.loads(pickle.dumps(f)) is f
        assert copy.deepcopy(f) is f


def test_activation_gives_the_pair(case):
    assert fnn.activation(case.name) == (getattr(fnn, case.name), getattr(fnn, f"{case.name}_backward"))


@pytest.mark.parametrize("dtype", ["?", "b", "B", "h", "H", "i", "I", "q", "Q", "e", "f", "d", ">f4", ">i2"])
def test_result_dtypes_follow_numpy(case, dtype):
    x = np.ones(3, dtype)
    expected = (x * 1.0).dtype if case.parameters else np.tanh(x).dtype
    if case.parameters and x.dtype.kind in "biu":
        expected = np.dtype(np.float64)
    f = getattr(fnn, case.name)
    assert f(x, *case.default).dtype == expected
    np.testing.assert_allclose(f(x, *case.default), f(np.ones(3), *case.default), rtol=2e-3)


@pytest.mark.parametrize("value", [1, 0.5, True, [1, 2.5], (), [[1.0], [-2.0]], np.float32(2), np.float16(-1)])
def test_whatever_asarray_takes(case, value):
    f = getattr(fnn, case.name)
    result, expected = f(value, *case.default), f(np.asarray(value), *case.default)
    assert same_bits(result, expected)
    if np.ndim(value) == 0:
        assert isinstance(result, np.generic)
        assert isinstance(expected, np.generic)


@pytest.mark.parametrize(
    "value",
    [
        np.ones(3, complex),
        np.ones(3, np.complex64),
        np.ones(3, np.longdouble),
        np.array([1.0, 2.0], object),
        np.array(["a"]),
        np.array(["2020-01-01"], "M8[D]"),
        "text",
        None,
    ],
    ids=lambda value: getattr(getattr(value, "dtype", None), "name", repr(value)),
)
def test_other_dtypes_raise(case, value):
    if getattr(value, "dtype", None) == np.float64:
        pytest.skip("longdouble is float64 here")
    for f, arrays, parameters in functions(case):
        with pytest.raises(TypeError):
            f(*[value] * arrays, *parameters)


def test_wrong_number_of_arguments(case):
    for f, arrays, parameters in functions(case):
        with pytest.raises(TypeError):
            f(*[1.0] * (arrays + len(parameters) + 3))
        with pytest.raises(TypeError):
            f(*[1.0] * arrays, *parameters, no_such_keyword=1)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("size", [7, 1000, 70_001])
def test_out(case, size, dtype):
    for f, arrays, parameters in functions(case):
        inputs = arguments(arrays, size, dtype)
        kept = [a.copy() for a in inputs]
        expected = f(*inputs, *parameters)
        for wrap in (lambda out: out, lambda out: (out,)):
            out = np.full(size, np.nan, dtype)
            assert f(*inputs, *parameters, out=wrap(out)) is out
            assert same_bits(out, expected)
        strided = np.full(2 * size, np.nan, dtype)
        f(*inputs, *parameters, out=strided[::2])
        assert same_bits(strided[::2], expected)
        assert np.isnan(strided[1::2]).all()
        assert all(same_bits(a, b) for a, b in zip(inputs, kept, strict=True))


@pytest.mark.parametrize("size", [7, 1000, 70_001])
def test_in_place(case, size):
    for f, arrays, parameters in functions(case):
        expected = f(*arguments(arrays, size), *parameters)
        for position in range(arrays):
            inputs = arguments(arrays, size)
            assert f(*inputs, *parameters, out=inputs[position]) is inputs[position]
            assert same_bits(inputs[position], expected)


@pytest.mark.parametrize("size", [9, 1001, 70_001])
@pytest.mark.parametrize("shift", [1, 3, -1, -7])
def test_overlapping_out(case, size, shift):
    for f, arrays, parameters in functions(case):
        for position in range(arrays):
            inputs = arguments(arrays, size)
            expected = f(*inputs, *parameters)
            memory = np.zeros(size + abs(shift), np.float32)
            source = memory[:size] if shift > 0 else memory[-size:]
            target = memory[-size:] if shift > 0 else memory[:size]
            source[...] = inputs[position]
            inputs[position] = source
            f(*inputs, *parameters, out=target)
            assert same_bits(target, expected)


def test_reversed_view_of_the_input_as_out(case):
    for f, arrays, parameters in functions(case):
        inputs = arguments(arrays, 1000)
        expected = f(*inputs, *parameters)
        f(*inputs, *parameters, out=inputs[0][::-1])
        assert same_bits(inputs[0][::-1], expected)


def test_out_errors_leave_it_untouched(case):
    for f, arrays, parameters in functions(case):
        inputs = arguments(arrays, (4, 3))
        for out, error in [
            (np.full((4, 2), 7.0, np.float32), ValueError),
            (np.full((3, 4), 7.0, np.float32), ValueError),
            (np.full(3, 7.0, np.float32), ValueError),
            (np.full((4, 3), 7), TypeError),
        ]:
            with pytest.raises(error):
                f(*inputs, *parameters, out=out)
            assert np.all(out == 7)
        with pytest.raises(TypeError):
            f(*inputs, *parameters, out=[0.0])
        frozen = np.full((4, 3), 7.0, np.float32)
        frozen.flags.writeable = False
        with pytest.raises(ValueError, match="read-only"):
            f(*inputs, *parameters, out=frozen)


def test_where(case):
    for f, arrays, parameters in functions(case):
        for size in (5, 300, 70_001):
            inputs = arguments(arrays, size)
            mask = np.random.default_rng(2).random(size) < 0.5
            out = np.full(size, 7.0, np.float32)
            assert f(*inputs, *parameters, out=out, where=mask) is out
            assert same_bits(out, np.where(mask, f(*inputs, *parameters), np.float32(7)))


def test_sizes_and_positions_have_the_same_bits(case):
    """An element's result does not depend on where in an array it stands, nor on the array's length."""
    for f, arrays, parameters in functions(case):
        inputs = arguments(arrays, STRADDLING[-1])
        whole = f(*inputs, *parameters)
        for size in STRADDLING:
            assert same_bits(f(*(a[:size] for a in inputs), *parameters), whole[:size])
        singles = [f(*(a[k] for a in inputs), *parameters) for k in range(130)]
        assert same_bits(np.array(singles), whole[:130])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_large_arrays_have_the_same_bits_as_pieces(case, dtype):
    for f, arrays, parameters in functions(case):
        inputs = arguments(arrays, LARGE, dtype)
        whole = f(*inputs, *parameters)
        pieces = [f(*(a[k : k + 997] for a in inputs), *parameters) for k in range(0, LARGE, 997)]
        assert same_bits(whole, np.concatenate(pieces))
        with fnn.threads(1):
            assert same_bits(f(*inputs, *parameters), whole)


def test_memory_layout_has_no_influence(case):
    for f, arrays, parameters in functions(case):
        inputs = arguments(arrays, (60, 70))
        expected = f(*inputs, *parameters)
        for arrange in (
            np.asfortranarray,
            lambda a: np.repeat(a, 3, axis=1)[:, ::3],
            lambda a: np.repeat(a, 2, axis=0)[::2],
            lambda a: a[::-1, ::-1].copy()[::-1, ::-1],
            lambda a: a.astype(">f4"),
            _unaligned,
            _read_only,
        ):
            assert same_bits(f(*map(arrange, inputs), *parameters), expected)
        assert same_bits(f(*(a.T for a in inputs), *parameters), expected.T)
        row = [a[:1] for a in inputs]
        assert same_bits(f(*(np.broadcast_to(a, (60, 70)) for a in row), *parameters)[7:8], f(*row, *parameters))


def _unaligned(a):
    view = np.zeros(a.nbytes + 1, np.uint8)[1:].view(a.dtype).reshape(a.shape)
    view[...] = a
    return view


def _read_only(a):
    a = a.copy()
    a.flags.writeable = False
    return a


def test_backward_broadcasts_dy_and_x(case):
    f_backward = getattr(fnn, f"{case.name}_backward")
    dy, x = arguments(2, (50, 40))
    for left, right in ((dy[:1], x), (dy, x[:, :1]), (dy[0, 0], x), (dy[:, :1], x[:1])):
        expected = f_backward(*(np.ascontiguousarray(a) for a in np.broadcast_arrays(left, right)), *case.default)
        assert same_bits(f_backward(left, right, *case.default), expected)


def test_empty(case):
    for f, arrays, parameters in functions(case):
        for shape in ((0,), (3, 0), (0, 5)):
            result = f(*arguments(arrays, shape), *parameters)
            assert result.shape == shape
            assert result.dtype == np.float32


def test_subclasses_keep_their_type(case):
    x = np.ma.masked_array(arguments(1, 6)[0], [False, True] * 3)
    for f, arrays, parameters in functions(case):
        result = f(*[x] * arrays, *parameters)
        assert isinstance(result, np.ma.MaskedArray)
        assert same_bits(result.data[::2], f(*[x.data[::2]] * arrays, *parameters))


def test_array_ufunc_is_asked(case):
    class Asked:
        def __array_ufunc__(self, ufunc, method, *inputs, **keywords):
            return ufunc, method

    for f, arrays, parameters in functions(case):
        ufunc, method = f(*[Asked()] * arrays, *parameters)
        assert isinstance(ufunc, np.ufunc)
        assert method == "__call__"


@pytest.mark.parametrize("name", ["relu_backward", "silu_backward", "gelu_backward", "tanh_backward_from_output"])
def test_ufunc_methods_are_sequential(name):
    """reduce and accumulate hand the loop its own output as input."""
    f = getattr(fnn, name)
    for size in (3, 100, 1000):
        values = arguments(1, size)[0] / 4
        expected = [values[0]]
        for value in values[1:]:
            expected.append(f(expected[-1], value))
        assert same_bits(f.accumulate(values), np.array(expected))
        assert same_bits(f.reduce(values), expected[-1])
    left, right = arguments(2, 40)
    assert same_bits(f.outer(left, right), f(left[:, None], right))
    totals = left.copy()
    f.at(totals, [3, 3, 5], right[:3])
    assert totals[3] == f(f(left[3], right[0]), right[1])
    assert totals[5] == f(left[5], right[2])


def test_dtype_keyword():
    x = arguments(1, 10)[0]
    assert same_bits(fnn.silu(x, dtype=np.float64), fnn.silu(x.astype(np.float64)))
    with pytest.raises(TypeError):
        fnn.silu(x, dtype=np.int32)


def test_thread_limits():
    before = fnn.get_num_threads()
    with fnn.threads(1):
        assert fnn.get_num_threads() == 1
    assert fnn.get_num_threads() == before
    for wrong in (0, -1):
        with pytest.raises(ValueError, match="threads"):
            fnn.set_num_threads(wrong)
    fnn.set_num_threads(10_000)
    assert fnn.get_num_threads() >= 1
    fnn.set_num_threads(before)


def test_many_python_threads_at_once():
    x = arguments(1, LARGE)[0]
    expected, wrong = fnn.gelu(x), []

    def work():
        for _ in range(5):
            if not same_bits(fnn.gelu(x), expected):
                wrong.append(1)

    workers = [threading.Thread(target=work) for _ in range(6)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert not wrong
