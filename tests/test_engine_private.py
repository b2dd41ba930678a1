"""Guards on what is private in numba, llvmlite and NumPy: each says what broke when an upgrade changes it."""

import re

import numpy as np
import pytest

import fastnn as fnn
from fastnn._engine import kernels, lanes, loops, native, runtime, specialise

needs_jit = pytest.mark.skipif(not loops.JIT, reason="the JIT is off")


def double(x):
    return 2.0 * x


@needs_jit
def test_numba_function_convention():
    """native.scalar_ir relies on numba's calling convention: i32 f(result*, excinfo**, arguments)."""
    import numba

    ir, symbol = native.scalar_ir(specialise.specialise(double, np.float32), numba.float32(numba.float32))
    assert re.search(rf"define .*i32 @{re.escape(symbol)}\(ptr .*%retptr, ptr .*%excinfo, float .*%arg.x\)", ir)
    assert "0x" not in ir or "double" not in ir  # the literal was typed float32: no float64 arithmetic


@needs_jit
def test_specialised_literals_keep_float32():
    def formula(x):
        return 2 * x + x**2 / 3 - 0.5

    _, (ir,) = kernels.kernel_parts("k", formula, np.float32, 1)
    body = ir[ir.index("define") :]
    assert "double" not in body.split("\n}")[0]


@needs_jit
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("formula", [fnn.relu, fnn.sigmoid, fnn.gelu, fnn.tanh, fnn.softplus, fnn.mish])
def test_kernels_are_vector_code(formula, dtype):
    """No call but memcpy/memset, and vector arithmetic."""
    from fastnn._engine import ufuncs

    scalar = ufuncs._DEFINITIONS[formula].formula
    arity = scalar.__code__.co_argcount
    entry, parts = kernels.kernel_parts("k", scalar, dtype, arity, tuple(range(1, arity)))
    text = native.assembly(entry, parts, "k")
    assert not re.search(r"\bcallq?\s+(?!\*|mem)", text), "a call into a library: the loop is not vectorised"
    externals = set(re.findall(r"\b(\w+)@(?:PLT|GOTPCREL)", text)) | set(re.findall(r"movabsq \$(\w+),", text))
    assert {e for e in externals if not e.startswith(".") and not e.isdigit()} <= {"memcpy", "memset"}
    if native.host()[1].find("+avx") >= 0:
        assert re.search(r"%[yz]mm", text)


def wrapped(u):
    return u if u < 0.5 else u - 1.0


@needs_jit
def test_short_formulas_are_vector_code():
    """The loop over the lanes is vectorised before anything unrolls it: no float64 is compared or taken by itself."""
    (text,) = lanes.needed_by(lanes.part(wrapped, np.float64))
    body = text[text.index("define") :]
    assert re.search(r"fadd <\d+ x double>", body)
    assert not re.search(r"(fadd|fcmp \w+|load|store) double", body)


def test_numpy_ufunc_table():
    """loops._new_ufunc takes slot 1 of NumPy's ufunc C API: PyUFunc_FromFuncAndData."""
    assert isinstance(fnn.relu, np.ufunc)
    assert (fnn.relu.nin, fnn.relu.nout, fnn.relu.types) == (1, 1, ["e->e", "f->f", "d->d"])
    assert fnn.relu.__name__ == "relu"


@needs_jit
def test_pool_words():
    """runtime and pool agree on the layout: a parallel call starts helpers and leaves the pool idle."""
    from fastnn._engine import pool_layout as P

    if runtime.get_num_threads() == 1:
        pytest.skip("one core")
    fnn.relu(np.zeros(2_000_000, np.float32))
    assert runtime.pool[P.STARTED] == runtime.get_num_threads() - 1
    assert [int(runtime.pool[word]) for word in (P.BUSY, P.OPEN, P.ACTIVE)] == [0, 0, 0]


@needs_jit
def test_a_kernel_that_cannot_be_compiled_runs_as_python(monkeypatch):
    """The last resort is slow and right, and says so once."""

    def fail(*args):
        raise RuntimeError("no compiler today")

    monkeypatch.setattr(loops, "_kernel", fail)
    ufunc = loops.make_ufunc("doubled", "", loops.Formula("doubled", double, 1))
    x = np.linspace(-1, 1, 2001, dtype=np.float32)
    with pytest.warns(RuntimeWarning, match="doubled cannot be compiled here"):
        np.testing.assert_array_equal(ufunc(x), 2 * x)
    np.testing.assert_array_equal(ufunc(x[::-2]), 2 * x[::-2])
