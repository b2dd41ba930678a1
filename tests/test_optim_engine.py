"""What the optimisers rely on underneath: where CPython and NumPy keep things, launches in phases, averages."""

import numpy as np
import pytest
from processes import run_python

import fastnn as fnn
from fastnn._engine import fused
from fastnn._engine import launch_layout as L
from fastnn._engine.vectors import put_word, word
from fastnn.optim import _averages, _cohorts, _kernels


def located(parameters, gradients, needed=0x101 | 0x400 << 32):
    table = np.zeros((len(parameters), 6), np.int64)
    table[:, L.PARAMETER] = [p.ctypes.data for p in parameters]
    table[:, L.SIZE] = [p.size for p in parameters]
    table[:, L.NEEDED] = needed
    return fused.locate(parameters, gradients, table, 6), table


def test_locate_reads_arrays_and_lists_as_they_are():
    """launch_layout has the words of PyArrayObject and PyListObject: data, dims, dtype, flags; length, items."""
    parameters = [np.zeros(shape, dtype) for shape in [(), (3,), (2, 5), (0, 4)] for dtype in ("f4", "f8")]
    gradients = [np.ones_like(p) for p in parameters]
    found, table = located(parameters, gradients)
    assert found == -1
    assert table[:, L.GRADIENT].tolist() == [g.ctypes.data for g in gradients]
    for k, parameter in enumerate(parameters):
        others = [None, 1.0, np.ones((*parameter.shape, 1), parameter.dtype), parameter.astype("i4")]
        others += [np.ones(parameter.shape, "f8" if parameter.dtype == "f4" else "f4")]
        others += [np.ones_like(parameter).view(np.matrix)] if parameter.ndim == 2 else []
        others += [np.ones((5, 2), parameter.dtype).T] if parameter.shape == (2, 5) else []
        others += [np.ones(6, parameter.dtype)[::2]] if parameter.shape == (3,) else []
        others += [np.zeros(4 * parameter.size + 1, np.uint8)[1:].view("f4")] if parameter.shape == (3,) else []
        for other in others:
            assert located(parameters, [*gradients[:k], other, *gradients[k + 1 :]])[0] == k


def test_locate_needs_the_parameter_where_it_was():
    parameter, gradient = np.zeros(3), np.ones(3)
    table = located([parameter], [gradient])[1]
    assert fused.locate([parameter], [gradient], table, 6) == -1
    assert fused.locate([parameter.copy()], [gradient], table, 6) == 0
    table[0, L.SIZE] = 4
    assert fused.locate([parameter], [gradient], table, 6) == 0
    table = located([parameter], [gradient])[1]
    parameter.flags.writeable = False
    assert fused.locate([parameter], [gradient], table, 6) == 0
    gradient.flags.writeable = False
    parameter.flags.writeable = True
    assert located([parameter], [gradient])[0] == -1
    assert located([parameter], [gradient], 0x501 | 0x400 << 32)[0] == 0


def _first(context, index):
    put_word(word(context, 1), index, word(context, 2) + index)
    return 0


def _second(context, index):
    total = 0
    for k in range(word(context, 3)):
        total += word(word(context, 1), k)
    put_word(word(context, 4), index, total)
    return 0


def test_phases_run_one_after_the_other():
    """All chunks of the first have ended, on any thread, before one of the second begins."""
    first, second = fused.Kernel("test_first", _first)["f"], fused.Kernel("test_second", _second)["f"]
    memory, sums = np.zeros(1000, np.int64), np.zeros(50, np.int64)
    for work in (0, 10**6):
        for start in range(20):
            both = fused.phases((first, 1000), (second, 50))
            fused.launch(both, 2, work, memory, start, 1000, sums)
            assert (sums == 1000 * start + 999 * 500).all()
    fused.KERNELS[:] = [kernel for kernel in fused.KERNELS if not kernel.name.startswith("test_")]


def test_chunks_cover_every_element_once_and_know_their_segments():
    rng = np.random.default_rng(0)
    for _ in range(50):
        sizes = tuple(int(n) for n in rng.choice([0, 1, 15, 100, 900, 1024, 1025, 5000, 40_000], rng.integers(1, 40)))
        chunks, segments, count = _cohorts.chunks_of(sizes)
        seen, used = [np.zeros(size, int) for size in sizes], [[] for _ in sizes]
        for first, begin, left, segment in chunks.tolist():
            assert left > 0
            k = first
            while left:
                end = min(begin + left, sizes[k])
                seen[k][begin:end] += 1
                used[k].append(segment)
                left -= end - begin
                begin, k, segment = 0, k + 1, segment + 1
        assert all((each == 1).all() for each in seen)
        for k, (first, own) in enumerate(segments.tolist()):
            assert not sizes[k] or used[k] == list(range(first, first + own))
        assert count == sum(own for _, own in segments.tolist())
        assert max(len(each) for each in used) <= 8 or max(sizes) > 8 * 16384


@pytest.mark.parametrize("beta", [0.0, 0.1, 0.5, 0.9, 0.99, 0.999, 0.9999, 1 - 1e-9])
def test_an_average_settles_where_it_should(beta):
    """Of a constant it becomes that constant, with float32 weights too (0.999 in one part: 1.3e-5 off)."""
    share, high, low = _averages.weights_of(beta)
    assert np.float32(high) == high
    assert (share, high + low) == (1 - beta, beta)
    assert low >= 0
    fixed_point = float(np.float32(share)) / (1 - (high + float(np.float32(low))))
    assert abs(fixed_point - 1) < 1.2e-7


def test_every_rule_without_the_jit():
    """NUMBA_DISABLE_JIT=1: the kernels as Python give what the compiled ones give, to a few roundings of fma."""
    code = (
        "import numpy as np, fastnn as fnn\n"
        "rng = np.random.default_rng(0)\n"
        "for name in fnn.optim.__all__:\n"
        "    rule = getattr(fnn.optim, name)\n"
        "    if not (isinstance(rule, type) and name != 'Optimizer'): continue\n"
        "    for dtype in 'fd':\n"
        "        params = [np.linspace(-1, 1, 21).reshape(3, 7).astype(dtype), np.ones(5, dtype)[::-2]]\n"
        "        opt = rule(params, weight_decay=0.1, l1=0.01, clip_norm=5.0, clip_param_norm=4.0, clip_value=1.0,\n"
        "                   ema_decay=0.9, zero_grads=True, skip_nonfinite=True)\n"
        "        for _ in range(3):\n"
        "            grads = [rng.standard_normal(p.shape).astype(dtype) for p in params]\n"
        "            opt.step(grads)\n"
        "        assert not grads[0].any()\n"
        "        print(name, dtype, *(x.hex() for p in params + opt.ema for x in p.ravel().tolist()))\n"
    )
    lines = [run_python(code, NUMBA_DISABLE_JIT=off).stdout.splitlines() for off in "01"]
    assert len(lines[0]) == len(lines[1]) == 30
    for compiled, interpreted in zip(*lines, strict=True):
        (name, dtype, *a), (_, _, *b) = compiled.split(), interpreted.split()
        eps = np.finfo(dtype).eps
        numbers = [[float.fromhex(x) for x in each] for each in (a, b)]
        np.testing.assert_allclose(*numbers, rtol=0, atol=16 * eps, err_msg=name)


def test_warmup_knows_the_kernels_of_the_optimisers():
    names = {kernel.name for kernel in fused.KERNELS}
    assert {"optim_adam", "optim_amsgrad", "optim_norm", "optim_lamb_measure", "optim_adafactor_apply"} <= names
    assert isinstance(fnn.optim.Adam.update({"amsgrad": True}), _kernels.Update)
