"""fastnn.vmath inside a user's own numba code: vector instructions, right values, any way of importing it."""

import inspect
import math
import os
import re
import subprocess
import sys

import numba
import numpy as np
import pytest
import scipy.special
from ulps import assert_within, ulp_error

import fastnn as fnn
from fastnn import vmath
from fastnn.vmath import exp as imported_exp

jit_only = pytest.mark.skipif(numba.config.DISABLE_JIT, reason="looks at compiled code")
DTYPES = [np.float32, np.float64]
REFERENCE = {
    "exp": np.exp, "exp2": np.exp2, "expm1": np.expm1, "log": np.log, "log2": np.log2, "log1p": np.log1p,
    "tanh": np.tanh, "erf": np.vectorize(math.erf), "erfc": np.vectorize(math.erfc), "sigmoid": scipy.special.expit,
    "rsqrt": lambda x: 1 / np.sqrt(x), "sin": np.sin, "cos": np.cos,
}  # fmt: skip
#: Where float64 references are themselves off by a few units in the last place.
REFERENCE_ULPS = 3.0

PACKED = re.compile(r"\sv(?:mul|add|sub|div|sqrt|f(?:n)?m(?:add|sub)\d+)p[sd]\s.*[yz]mm")
LIBM = re.compile(r"\b(?:exp|exp2|expm1|log|log2|log1p|tanh|erf|erfc|sin|cos|fma|rint|floor|pow)f?\b")


def loop_over(f, **options):
    @numba.njit(**options)
    def loop(x, out):
        for i in numba.prange(x.size):
            out[i] = f(x[i])

    return loop


def inputs(name, dtype):
    x = np.linspace(-9, 9, 1001)
    return (np.abs(x) + 0.01 if name in ("log", "log2", "log1p", "rsqrt") else x).astype(dtype)


def check(name, y, x, dtype=None):
    with np.errstate(all="ignore"):
        expected = REFERENCE[name](x.astype(np.float64))
    assert y.dtype == (dtype or x.dtype)
    assert_within(y, expected, 1.0 if y.dtype == np.float32 else REFERENCE_ULPS, absolute=1e-16, inputs=(x,))


def test_every_function_is_listed_and_documented():
    assert set(vmath.__all__) == set(REFERENCE)
    for name in vmath.__all__:
        assert "ulp" in inspect.getdoc(getattr(vmath, name))
        assert list(inspect.signature(getattr(vmath, name)).parameters) == ["x"]


@jit_only
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", sorted(REFERENCE))
def test_a_users_loop_becomes_vector_code(name, dtype):
    loop, x = loop_over(getattr(vmath, name)), inputs(name, dtype)
    out = np.empty_like(x)
    loop(x, out)
    check(name, out, x)
    assembly = loop.inspect_asm(loop.signatures[0])
    assert len(PACKED.findall(assembly)) >= 5
    called = re.findall(r"(?:call|jmp)\S*\s+\*?(\S+)|movabsq\s+\$(\w+)", assembly)
    assert not [symbol for symbol in map("".join, called) if LIBM.fullmatch(symbol)]


@jit_only
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    "options", [{"fastmath": {"contract", "reassoc", "arcp", "nsz"}}, {"parallel": True}], ids=["fastmath", "parallel"]
)
def test_under_other_compiler_options(options, dtype):
    for name in ("exp", "log1p", "erf", "sin"):
        loop, x = loop_over(getattr(vmath, name), **options), inputs(name, dtype)
        out = np.empty_like(x)
        loop(x, out)
        check(name, out, x)


@jit_only
@pytest.mark.parametrize("dtype", DTYPES)
def test_inside_helper_functions_and_several_times_in_one_loop(dtype):
    @numba.njit(forceinline=True)
    def helper(v):
        return vmath.erfc(v) + vmath.erfc(-v)

    @numba.njit
    def loop(x, out):
        for i in range(x.size):
            out[i] = helper(x[i]) * imported_exp(x[i]) * fnn.vmath.exp(-x[i])

    x = np.linspace(-3, 3, 333).astype(dtype)
    out = np.empty_like(x)
    loop(x, out)
    np.testing.assert_allclose(out, 2.0, rtol=8 * np.finfo(dtype).eps)
    assembly = loop.inspect_asm(loop.signatures[0])
    assert len(PACKED.findall(assembly)) >= 50
    assert not re.search(r"(?:call\S*|movabsq)\s+\S*(?:erfc|exp)", assembly)


@pytest.mark.parametrize("dtype", [np.int64, np.int32, np.uint8, np.bool_])
def test_integers_give_float64(dtype):
    x = np.array([0, 1], dtype)
    out = np.empty(2)
    loop_over(vmath.exp)(x, out)
    check("exp", out, x, np.dtype(np.float64))


@pytest.mark.parametrize("name", sorted(REFERENCE))
def test_called_from_python(name):
    f = getattr(vmath, name)
    for value in (1, 0.75, True, np.int8(2), np.float64(0.5)):
        assert type(f(value)) is np.float64
    y = f(np.float32(0.75))
    assert type(y) is np.float32
    assert ulp_error(y, REFERENCE[name](0.75)) <= 1
    with np.errstate(all="raise"):
        assert all(np.isnan(f(kind(np.nan))) for kind in DTYPES)
    with pytest.raises(TypeError, match=f"vmath.{name}: x is an array"):
        f(np.zeros(3))


@pytest.mark.parametrize("name", sorted(REFERENCE))
@pytest.mark.parametrize("dtype", DTYPES)
def test_python_and_compiled_code_agree(name, dtype):
    f, x = getattr(vmath, name), inputs(name, dtype)[::50]
    out = np.empty_like(x)
    loop_over(f)(x, out)
    np.testing.assert_allclose([f(v) for v in x], out, rtol=np.finfo(dtype).eps, atol=0)


def softplus_by_module(x):
    return vmath.log1p(vmath.exp(x))


def softplus_by_name(x):
    return vmath.log1p(imported_exp(x))


@pytest.mark.parametrize("formula", [softplus_by_module, softplus_by_name])
@pytest.mark.parametrize("dtype", DTYPES)
def test_inside_an_elementwise_formula(formula, dtype):
    x = np.linspace(-5, 5, 101).astype(dtype)
    y = fnn.elementwise(formula)(x)
    assert y.dtype == dtype
    np.testing.assert_allclose(y, np.log1p(np.exp(x.astype(np.float64))), rtol=4 * np.finfo(dtype).eps)


def test_without_the_compiler():
    code = "import numpy as np; from fastnn.vmath import erf; print(repr(float(erf(0.5))), erf(np.float32(1)).dtype)"
    run = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, "NUMBA_DISABLE_JIT": "1"}, capture_output=True, text=True
    )
    assert run.stdout.split() == ["0.5204998778130465", "float32"], run.stderr
