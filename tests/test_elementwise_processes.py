"""Users' formulas beyond the process and the moment that defined them: pickling, Dask, the disk cache, redefinition."""

import pickle
import re
from pathlib import Path

import cloudpickle
import numpy as np
import pytest
from processes import run_python

import fastnn as fnn
from fastnn import vmath


@fnn.elementwise(derivative=lambda x, a: 2 * a * x)
def parabola(x, a):
    return a * x * x


def _snake_derivative(x, a=1.0):
    return 1 + vmath.sin(2 * a * x)


@fnn.elementwise(derivative=_snake_derivative)
def snake(x, a=1.0):
    s = vmath.sin(a * x)
    return x + s * s / a


class Holder:
    inner = fnn.elementwise(lambda x: 3 * x, name="Holder.inner")


def _local(scale):
    def helper(x):
        return scale * x

    return fnn.elementwise(lambda x: helper(x) + 1, lambda x: scale, name="local")


def test_module_level_is_pickled_by_name():
    for f in (parabola, snake, fnn.activation(parabola)[1], fnn.activation(snake)[1], Holder.inner):
        for library in (pickle, cloudpickle):
            content = library.dumps(f)
            assert library.loads(content) is f
            assert len(content) < 200


def test_parts_of_a_function_with_defaults_are_found():
    """Dask sends the ufunc that a call with given parameters ends in."""

    class Recorder:
        def __array_ufunc__(self, ufunc, method, *inputs, **kwargs):
            return ufunc

    general, default = snake(Recorder(), 2.0), snake(Recorder())
    assert isinstance(general, np.ufunc)
    assert general is not default
    for ufunc in (general, default):
        assert pickle.loads(pickle.dumps(ufunc)) is ufunc


def test_local_is_pickled_by_value():
    two, three = _local(2.0), _local(3.0)
    for f in (two, three):
        assert pickle.loads(pickle.dumps(f)) is f
        assert pickle.loads(pickle.dumps(f)) is pickle.loads(cloudpickle.dumps(f))
    assert pickle.dumps(two) != pickle.dumps(three)


def test_other_ufuncs_are_numpys_business():
    for f in (np.exp, fnn.relu, fnn.elu_backward):
        assert pickle.loads(pickle.dumps(f)) is f


_MAIN = """
import sys, cloudpickle, numpy as np, fastnn as fnn
from fastnn import vmath

SCALE = 2.0

def helper(x, shift=0.5):
    return SCALE * fnn.sigmoid(x) + shift

@fnn.elementwise(derivative=lambda x: 3.0, derivative_from_output=lambda y: 4.0)
def plain(x):
    return helper(x) + np.pi

@fnn.elementwise(derivative=lambda x, a: 5.0 * a)
def parametric(x, a=1.0):
    return a * helper(x)

lam = fnn.elementwise(lambda x: -x)
x = np.linspace(-2, 2, 9)
fs = [plain, parametric, lam, fnn.activation(plain)[1], fnn.activation(parametric)[1]]
with open(sys.argv[1], "wb") as file:
    cloudpickle.dump((fs, plain(x), parametric(x, 3.0)), file)
SCALE = 100.0
"""


def test_a_scripts_functions_reach_another_process(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(_MAIN)
    path = tmp_path / "functions"
    run_python(
        f"import sys, runpy; sys.argv[1:] = [{str(path)!r}]; runpy.run_path({str(script)!r}, run_name='__main__')"
    )
    (plain, parametric, lam, plain_backward, parametric_backward), y, z = pickle.loads(path.read_bytes())
    x = np.linspace(-2, 2, 9)
    assert isinstance(plain, np.ufunc)
    np.testing.assert_array_equal(plain(x), y)
    np.testing.assert_array_equal(parametric(x, 3.0), z)
    np.testing.assert_array_equal(lam(x), -x)
    np.testing.assert_array_equal(plain_backward(1.0, x), np.full(9, 3.0))
    np.testing.assert_array_equal(parametric_backward(1.0, x, 2.0), np.full(9, 10.0))
    assert fnn.activation(plain)[1] is plain_backward
    np.testing.assert_array_equal(fnn.activation(plain, from_output=True)[1](1.0, x), np.full(9, 4.0))
    np.testing.assert_array_equal(fnn.activation(parametric)[1](1.0, x), np.full(9, 5.0))
    np.testing.assert_array_equal(fnn.bias_activation(x[None], np.zeros(9), parametric), parametric(x)[None])
    assert pickle.loads(pickle.dumps(plain)) is plain


_CLUSTER = """
import dask.array as da, numpy as np, fastnn as fnn
from dask.distributed import Client, LocalCluster

def main():
    @fnn.elementwise
    def halved(x, by=2.0):
        return x / by

    square = fnn.elementwise(lambda x: x * x, name="square")
    x = da.arange(1000, chunks=100, dtype=np.float32)
    with LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address=None) as cluster, Client(cluster):
        y = square(halved(halved(x), 4.0))
        assert y.dtype == np.float32
        np.testing.assert_array_equal(y.compute(), (np.arange(1000, dtype=np.float32) / 8) ** 2)
        np.testing.assert_array_equal(x.map_blocks(halved, dtype=x.dtype).compute(), np.arange(1000) / 2)

if __name__ == "__main__":
    main()
"""


def test_dask_workers_get_a_scripts_functions(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(_CLUSTER)
    run_python(f"import runpy; runpy.run_path({str(script)!r}, run_name='__main__')")


def test_dask_tells_functions_of_one_name_apart():
    from dask.base import tokenize

    assert tokenize(_local(2.0)) != tokenize(_local(3.0))
    assert tokenize(_local(2.0)) == tokenize(_local(2.0))


_COUNTED = """
import sys, numpy as np
from fastnn._engine import kernels
original, names = kernels.compile_kernel, []
def counted(name, *arguments):
    names.append(name)
    return original(name, *arguments)
kernels.compile_kernel = counted
sys.path.insert(0, FOLDER)
import formula
print(formula.f(np.float64(2)), formula.f(np.float32(2)), len(names))
"""
_FORMULA = """
import fastnn as fnn, settings
SCALE = 1.0
def helper(x, shift=0.0):
    return x + shift
@fnn.elementwise
def f(x):
    "Documented."
    return SCALE * helper(x) * settings.factor + settings.offset(x)
"""


_SETTINGS = "factor = 3.0\ndef offset(x):\n    return 0.0 * x\n"


@pytest.fixture(scope="module")
def run_formula(tmp_path_factory):
    """What a new process finds: value in float64 and float32, and how many kernels it had to compile."""
    cache = str(tmp_path_factory.mktemp("cache"))

    def run(formula=_FORMULA, settings=_SETTINGS) -> tuple[float, float, int]:
        folder = tmp_path_factory.mktemp("formula")
        (folder / "formula.py").write_text(formula)
        (folder / "settings.py").write_text(settings)
        done = run_python(_COUNTED.replace("FOLDER", repr(str(folder))), FASTNN_CACHE_DIR=cache)
        double, single, compiled = done.stdout.split()
        return float(double), float(single), int(compiled)

    assert run() == (6, 6, 2)
    return run


def test_the_second_process_compiles_nothing(run_formula):
    assert run_formula() == (6, 6, 0)
    assert run_formula(_FORMULA.replace("import fastnn", "# a comment\nimport fastnn")) == (6, 6, 0)


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("return SCALE", "return 2.0 * SCALE", 12),
        ("SCALE = 1.0", "SCALE = 4.0", 24),
        ("return x + shift", "return x - shift + 1.0", 9),
        ("shift=0.0", "shift=2.0", 12),
        ("factor = 3.0", "factor = 5.0", 10),
        ("0.0 * x", "7.0 * x", 20),
    ],
)
def test_whatever_changes_is_compiled_anew(run_formula, old, new, expected):
    assert run_formula(_FORMULA.replace(old, new), _SETTINGS.replace(old, new)) == (expected, expected, 2)


def test_redefinition_gives_the_new_function():
    def define(body):
        scope = {"fnn": fnn, "__name__": "notebook"}
        exec(f"@fnn.elementwise\ndef again(x, a=1.0):\n    return {body}", scope)  # noqa: S102
        return scope["again"]

    first, second = define("a * x"), define("a + x")
    assert (first(3.0, 2.0), second(3.0, 2.0), first(3.0), second(3.0)) == (6, 5, 3, 4)
    third = define("a * x")
    assert (third(3.0, 2.0), third(3.0)) == (6, 3)


_CHANGED = """
import sys, fastnn as fnn
SCALE = float(sys.argv[1])
@fnn.elementwise
def f(x, a=1.0):
    return SCALE * a * x
SCALE = float(sys.argv[2])  # the kernel of the default parameter is compiled later
print(int(f(1.0)), int(f(1.0, 2.0)))
"""


def test_a_formula_is_what_it_was_when_defined():
    def run(*scales: int, **environment) -> list[int]:
        code = f"import sys\nsys.argv[1:] = {[*map(str, scales)]}\n{_CHANGED}"
        return [int(value) for value in run_python(code, **environment).stdout.split()]

    scale = int(np.random.default_rng().integers(2**40))  # in no cache yet
    assert run(scale, scale + 1, NUMBA_DISABLE_JIT="1") == [scale, 2 * scale]
    assert run(scale, scale + 1) == [scale, 2 * scale]
    assert run(scale + 1, scale) == [scale + 1, 2 * scale + 2], "what the other process left on disk is not taken"


def test_without_the_compiler(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(_MAIN)
    path = tmp_path / "functions"
    code = f"import sys, runpy; sys.argv[1:] = [{str(path)!r}]; runpy.run_path({str(script)!r}, run_name='__main__')"
    run_python(code, NUMBA_DISABLE_JIT="1")
    (plain, *_), y, _ = pickle.loads(path.read_bytes())
    np.testing.assert_allclose(y, plain(np.linspace(-2, 2, 9)), rtol=1e-15)


def test_the_howto_runs(tmp_path):
    page = Path(__file__).parents[1] / "docs" / "howto" / "elementwise.md"
    script = tmp_path / "howto.py"
    script.write_text("\n".join(re.findall(r"```python\n(.*?)```", page.read_text(), re.DOTALL)))
    shown = run_python(f"import runpy; runpy.run_path({str(script)!r}, run_name='__main__')").stdout
    message, _, source = re.search(r"```text\n(.*?)```", page.read_text(), re.DOTALL)[1].splitlines()
    assert [shown.splitlines()[0], shown.splitlines()[2]] == [message, source]
