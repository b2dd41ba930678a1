"""fastnn.vmath in users' own loops: the assembly has vector instructions and no call into libm; values, docs, cache."""

import doctest
import functools
import inspect
import itertools
import math
import os
import platform
import re

import mpmath
import numba
import numpy as np
import pytest
from processes import run_python
from ulps import spacing

from fastnn import vmath

jit_only = pytest.mark.skipif(numba.config.DISABLE_JIT, reason="looks at compiled code")
x86_only = pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="reads x86 assembly")
DTYPES = [np.float32, np.float64]
INF, NAN = np.inf, np.nan

#: How a user may compile a loop.
OPTIONS = {
    "as it comes": {},
    "fastmath": {"fastmath": True},
    "numpy errors": {"error_model": "numpy"},
    "both": {"fastmath": True, "error_model": "numpy"},
    "parallel": {"parallel": True},
}
ALL = [("as it comes", name) for name in vmath.__all__] + [("both", name) for name in vmath.__all__]
SOME = [*itertools.product(["fastmath", "numpy errors", "parallel"], ["exp", "sin"]), ("parallel", "erfc")]

#: Arithmetic on vector registers of 32 or 64 bytes.
PACKED = re.compile(r"\sv(?:mul|add|sub|div|sqrt|fn?m(?:add|sub)\d+)p[sd]\s.*%[yz]mm")

#: Symbols that code calls or jumps to, at once or by way of a register.
SYMBOL = re.compile(r"(?:movabsq\s+\$|movq\s+(?=\w+@GOT)|(?:callq?|jmpq?)\s+\*?)([A-Za-z_][\w.]*)")

#: What compiled code calls in any case: Python, numba's runtime and loops, and itself.
RUNTIME = re.compile(
    r"_?Py\w+|NRT_\w+|numba_\w+|_ZN\S+|__gufunc__\S+|printf\w*"
    r"|(?:de)?allocate_sched|do_scheduling_\w+|get_num_threads|get_sched_size|[gs]et_parallel_chunksize"
)

#: The C library's mathematics in every precision and spelling, and the vector libraries that stand in for it.
LIBM = re.compile(
    r"(?:__)?(?:a?(?:cos|sin|tan)h?|atan2|cbrt|ceil|copysign|erfc?|exp(?:10|2|m1)?|fabs|floor|fm(?:a|ax|in|od)|frexp|hypot"
    r"|l?lr(?:int|ound)|ldexp|[lt]gamma|log(?:10|1p|2)?|modf|nearbyint|pow|remainder|rint|round(?:even)?|scalbl?n|sincos"
    r"|sqrt|trunc)(?:[fl]|f\d+)?(?:_finite)?|_ZGV\w+|__svml_\w+"
)


def loop_over(f, **options):
    @numba.njit(**options)
    def loop(x, out):
        for i in numba.prange(x.size):
            out[i] = f(x[i])

    return loop


@functools.cache
def loop_of(options, name):
    return loop_over(getattr(vmath, name), **OPTIONS[options])


def run(loop, x):
    out = np.full_like(x, 77)
    loop(x, out)
    return out


def assembly(loop, dtype):
    run(loop, np.ones(8, dtype))
    (signature,) = [s for s in loop.signatures if s[0].dtype == numba.from_dtype(np.dtype(dtype))]
    return loop.inspect_asm(signature)


def called(text):
    return set(SYMBOL.findall(text))


@jit_only
@x86_only
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("options", "name"), ALL + SOME)
def test_loop_is_vector_code_without_libm(options, name, dtype):
    text = assembly(loop_of(options, name), dtype)
    symbols = called(text)
    assert not {s for s in symbols if LIBM.fullmatch(s)}
    assert not {s for s in symbols if not RUNTIME.fullmatch(s)}
    assert len(PACKED.findall(text)) >= 5


#: The same functions as numba itself compiles them.
OTHERS = {name: getattr(math, name) for name in vmath.__all__ if hasattr(math, name)} | {
    "log2": np.log2,
    "exp2": np.exp2,
}


@jit_only
@x86_only
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", OTHERS)
def test_the_search_finds_libm(name, dtype):
    """Numba's own functions in the same loop: all that the test above looks for is found."""
    text = assembly(loop_over(OTHERS[name]), dtype)
    symbols = called(text)
    assert {s for s in symbols if LIBM.fullmatch(s)}
    assert {s for s in symbols if not RUNTIME.fullmatch(s)}
    assert not PACKED.findall(text)


def test_spellings_of_libm():
    for symbol in ("exp", "expf", "tanhf", "__exp_finite", "__expf_finite", "log1p", "fmaf", "rint", "sincosf", "powf"):
        assert LIBM.fullmatch(symbol)
        assert not RUNTIME.fullmatch(symbol)
    for symbol in ("_ZGVdN4v_exp", "__svml_exp4"):
        assert LIBM.fullmatch(symbol)
    for line in (
        "movabsq\t$expf, %rbx",
        "callq\texpf",
        "callq\t*expf@GOTPCREL(%rip)",
        "movq\texpf@GOTPCREL(%rip), %r14",
    ):
        assert called(line) == {"expf"}
    for line in ("callq\t*%rbx", "movabsq\t$.LCPI0_1, %r14", "movq\t(%rdi), %rax", "jmp\t.LBB0_3"):
        assert not called(line)


#: (x, exact value), a NaN aside, which gives NaN everywhere.
SPECIAL = {
    "cos": [(0, 1), (-0.0, 1), (INF, NAN), (-INF, NAN)],
    "erf": [(0, 0), (-0.0, -0.0), (INF, 1), (-INF, -1)],
    "erfc": [(0, 1), (INF, 0), (-INF, 2), (200, 0)],
    "exp": [(0, 1), (INF, INF), (-INF, 0), (1000, INF), (-1000, 0)],
    "exp2": [(0, 1), (INF, INF), (-INF, 0), (1024, INF), (-1080, 0), (10, 1024), (-3, 0.125)],
    "expm1": [(0, 0), (-0.0, -0.0), (INF, INF), (-INF, -1), (1000, INF)],
    "log": [(1, 0), (0, -INF), (-0.0, -INF), (INF, INF), (-1, NAN), (-INF, NAN)],
    "log1p": [(0, 0), (-0.0, -0.0), (-1, -INF), (INF, INF), (-2, NAN), (-INF, NAN)],
    "log2": [(1, 0), (8, 3), (0.25, -2), (0, -INF), (-0.0, -INF), (INF, INF), (-1, NAN), (-INF, NAN)],
    "rsqrt": [(4, 0.5), (0, INF), (-0.0, -INF), (INF, 0), (-1, NAN), (-INF, NAN)],
    "sigmoid": [(0, 0.5), (INF, 1), (-INF, 0)],
    "sin": [(0, 0), (-0.0, -0.0), (INF, NAN), (-INF, NAN)],
    "tanh": [(0, 0), (-0.0, -0.0), (INF, 1), (-INF, -1)],
}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("options", "name"), ALL)
def test_special_values(options, name, dtype):
    """fastmath is about the arithmetic that the user writes: what these functions do with infinities stays."""
    x, exact = np.array([*SPECIAL[name], (NAN, NAN)], dtype).T
    found = run(loop_of(options, name), np.ascontiguousarray(x))
    np.testing.assert_array_equal(found, exact)
    np.testing.assert_array_equal(np.signbit(found[exact == 0]), np.signbit(exact[exact == 0]))


def sigmoid(x):
    return 1 / (1 + mpmath.exp(-x))


FASTMATH_FIRST = """
import math, numba, numpy as np
import fastnn as fnn

x = np.linspace(-3, 3, 1001)
for name in ("erf", "exp", "expm1", "tanh"):
    for dtype in (np.float32, np.float64):
        f, y = getattr(fnn.vmath, name), x.astype(dtype)
        for options in ({"fastmath": True}, {}):
            @numba.njit(**options)
            def loop(x, out):
                for i in range(x.size):
                    out[i] = f(x[i])
            out = np.empty_like(y)
            loop(y, out)
            expected = [getattr(math, name)(v) for v in y.tolist()]
            np.testing.assert_allclose(out, expected, rtol=4 * np.finfo(dtype).eps)
"""


@jit_only
def test_fastmath_of_the_first_loop_in_a_process():
    """What numba compiles first is what every later loop gets."""
    run_python(FASTMATH_FIRST)


#: Reference, and ranges (of float32 and, where it is another, float64) to compare in.
EXACT = {
    "cos": (mpmath.cos, (-3, 3), (-(2.0**45), 2.0**45)),
    "erf": (mpmath.erf, (-1, 1), (-6, 6)),
    "erfc": (mpmath.erfc, (-1, 1), (-5, 9.1), (0, 26.5)),
    "exp": (mpmath.exp, (-1, 1), (-87, 88), (-708, 709)),
    "exp2": (lambda x: mpmath.mpf(2) ** x, (-1, 1), (-125, 127), (-1021, 1023)),
    "expm1": (mpmath.expm1, (-1, 1), (-20, 88), (-40, 709)),
    "log": (mpmath.log, (0.5, 2), (0, 1e30)),
    "log1p": (mpmath.log1p, (-0.99, 1), (0, 1e30)),
    "log2": (lambda x: mpmath.log(x) / mpmath.ln2, (0.5, 2), (0, 1e30)),
    "rsqrt": (lambda x: 1 / mpmath.sqrt(x), (0.5, 2), (0, 1e30)),
    "sigmoid": (sigmoid, (-2, 2), (-87, 20), (-708, 40)),
    "sin": (mpmath.sin, (-3, 3), (-(2.0**45), 2.0**45)),
    "tanh": (mpmath.tanh, (-1, 1), (-10, 10)),
}


def documented(name):
    """Largest errors in ulp, by dtype, as the docstring states them."""
    stated = re.findall(r"at most (\S+) ulp in float32 and (\S+) ulp in float64", inspect.getdoc(getattr(vmath, name)))
    assert len(stated) == 1
    return dict(zip(DTYPES, map(float, stated[0]), strict=True))


def points(ranges, dtype):
    """As many in each range, and as many small ones of every size where the ranges reach 0."""
    rng = np.random.default_rng(11)
    ranges = ranges if dtype is np.float64 else ranges[:2]
    found = [rng.uniform(low, high, 200) for low, high in ranges]
    if ranges[0][0] < 0:
        found.append(np.exp2(rng.uniform(-60, 0, 100)) * rng.choice([-1, 1], 100))
    return np.concatenate(found).astype(dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", sorted(EXACT))
def test_accuracy_is_as_documented(name, dtype):
    exact, *ranges = EXACT[name]
    x = points(ranges, dtype)
    y = run(loop_of("both", name), x)
    with mpmath.workprec(200):
        errors = [mpmath.mpf(float(b)) - exact(mpmath.mpf(float(a))) for a, b in zip(x, y, strict=True)]
        ulps = np.abs([float(error) for error in errors]) / spacing(y.astype(np.float64), dtype)
    assert ulps.max() <= documented(name)[dtype], f"{ulps.max():.3f} ulp at {x[ulps.argmax()]!r}"
    assert ulps.max() > 0.3  # no function is rounded so well: the measure would be wrong


@pytest.mark.parametrize("name", vmath.__all__)
def test_docstrings_have_every_section(name):
    text = inspect.getdoc(getattr(vmath, name))
    for section in ("Parameters", "Returns", "Raises", "Notes", "Examples"):
        assert re.search(rf"^{section}\n-+$", text, re.M), f"{name} has no section {section}"


@jit_only
def test_examples():
    found = doctest.testmod(vmath)
    assert found.attempted >= 2 * len(vmath.__all__)
    assert found.failed == 0


USER = """
import numba
from fastnn import vmath

@numba.njit(cache=True)
def scaled(x, out):
    for i in range(x.size):
        out[i] = {factor} * vmath.{name}(x[i])
"""
USE = """
import numpy as np, users
out = np.empty(3, np.float32)
users.scaled(np.array([0.0, 1.0, 2.0], np.float32), out)
stats = users.scaled.stats
print(sum(stats.cache_hits.values()), sum(stats.cache_misses.values()), *out)
"""


@jit_only
def test_numbas_cache_of_a_users_function(tmp_path):
    """A fresh process loads what another compiled; a changed source is compiled again."""

    def use():
        paths = [str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH")])]
        hits, misses, *out = run_python(USE, PYTHONPATH=os.pathsep.join(paths)).stdout.split()
        return int(hits), int(misses), np.array(out, np.float32)

    for name, factor in (("exp", 1), ("exp2", 3)):
        (tmp_path / "users.py").write_text(USER.format(name=name, factor=factor))
        expected = factor * getattr(np, name)(np.arange(3, dtype=np.float32))
        for loaded in (0, 1):
            hits, misses, out = use()
            assert (hits, misses) == (loaded, 1 - loaded)
            np.testing.assert_allclose(out, expected, rtol=1e-6)
