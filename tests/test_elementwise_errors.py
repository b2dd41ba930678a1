"""Formulas that cannot be compiled: the error names the line, says what is wrong with it, and comes at once."""

import inspect
import math
import re

import numpy as np
import pytest
from processes import run_python

import fastnn as fnn
from fastnn import vmath

WEIGHTS, LABEL, SCALE = np.ones(3), "two", 2.0


def numpy_exp(x):
    return x / (1 + np.exp(-x))  # here: np.exp is not vector code in a formula, expected vmath.exp


def math_tanh(x):
    y = 2 * x
    return math.tanh(y)  # here: math.tanh is not vector code in a formula, expected vmath.tanh


def unknown_name(x):
    return nothing_of_that_name(x)  # noqa: F821  # here: nothing_of_that_name is not defined


def unknown_in_vmath(x):
    return vmath.sinh(x)  # here: vmath.sinh is not defined


def not_compilable(x):
    return sum((x, x))  # here: sum cannot be compiled, expected abs, bool, float, int


def numpy_array_function(x):
    return np.zeros(3)[0] + x  # here: np.zeros is of type builtin_function_or_method, expected a number


def fastnn_array_function(x):
    return fnn.softmax(x)  # here: fnn.softmax is a function of arrays, expected one of numbers


def array(x):
    return x * WEIGHTS  # here: WEIGHTS is an array of shape \(3,\), expected a number


def string(x):
    return x * LABEL  # here: LABEL is of type str, expected a number


def module(x):
    return x * np  # here: np is the module numpy, expected a number


def string_constant(x):
    return x + "one"  # here: 'one' is of type str, expected numbers only


def complex_constant(x):
    return x * 1j  # here: 1j is of type complex, expected numbers only


def formatted(x):
    return f"{x}"  # here: formatted makes a string, expected numbers only


def tuple_(x):
    return x, x  # here: tuple_ returns a tuple, expected one number


def nothing(x):
    return None  # here: nothing returns None, expected a number on every path


def nothing_on_one_path(x):  # noqa: RET503
    if x > 0:
        return x
    if x < 0:  # here: nothing_on_one_path returns None, expected a number on every path
        return -x


def list_(x):
    return [x, x][0]  # here: list_ makes a list, expected numbers only


def function_inside(x):
    return (lambda t: t)(x)  # here: function_inside defines a function, expected it to be defined outside


def raising(x):
    if x > 0:
        raise ValueError  # here: raising raises an exception, which compiled code cannot
    return x


def assigning(x):
    global SCALE
    SCALE = x  # here: assigning assigns to a global variable
    return x


def unassigned(x):
    if x > 0:
        y = x
    return y  # here: y may be used before it has a value


def unassigned_in_a_loop(x):
    for k in range(2):
        if k:
            x = x + y  # noqa: F821  # here: y may be used before it has a value
        y = x  # noqa: F841
    return x


def deleted(x):
    y = x
    del y
    return y  # noqa: F821  # here: y may be used before it has a value


def recursive(x):
    return recursive(x - 1)  # here: recursive calls itself, expected a formula without recursion


def ping(x):
    return pong(x)


def pong(x):
    return ping(x)  # here: ping calls itself, expected a formula without recursion


def attribute(x):
    return x.nothing  # here: attribute cannot be compiled: Unknown attribute 'nothing' of type float32


def method(x):
    return x.sqrt()  # here: method cannot be compiled: Unknown attribute 'sqrt' of type float32


def indexed(x):
    return x[0]  # here: indexed cannot be compiled: no implementation of getitem\(float32


def _helper(x, k=2.0):
    return x.missing * k  # here: through_helper cannot be compiled: Unknown attribute 'missing' of type float32


def through_helper(x):
    return 1 + _helper(x)


def negative_power(x):
    return x**-2  # line unknown: negative_power cannot be compiled: it can raise an exception


def runtime_library(x):
    return math.gamma(x)  # line unknown: runtime_library cannot be compiled: it needs numba_gammaf of numba's


def not_positional(x, *, k=1.0):  # here: not_positional has the argument k, which is not positional
    return k * x


def starred(*x):  # here: starred has the argument x, which is not positional
    return 1.0


def no_argument():  # here: no_argument has 0 arguments, expected 1 to 6
    return 1.0


def text_default(x, a="s"):  # here: text_default has the default a='s', expected a number
    return x


def taken_name(x, out=1.0):  # here: taken_name has a parameter called out, expected another name
    return x * out


def generator(x):  # here: generator is a generator or coroutine, expected a function
    yield x


BAD = [
    numpy_exp, math_tanh, unknown_name, unknown_in_vmath, not_compilable, numpy_array_function, fastnn_array_function,
    array, string, module, string_constant, complex_constant, formatted, tuple_, nothing, nothing_on_one_path, list_,
    function_inside, raising, assigning, unassigned, unassigned_in_a_loop, deleted, recursive, ping,
    attribute, method, indexed, through_helper, negative_power, runtime_library, not_positional, starred, no_argument,
    text_default, taken_name, generator,
]  # fmt: skip
_MARK = re.compile(r"# (here|line unknown): (.*)$")


def _expected(formula) -> tuple[int | None, str]:
    """(line, message) from the mark in the formula, or in the function that it calls."""
    for function in (formula, {ping: pong, through_helper: _helper}.get(formula, formula)):
        lines, first = inspect.getsourcelines(function)
        for number, line in enumerate(lines, first):
            found = _MARK.search(line)
            if found:
                return number if found[1] == "here" else None, found[2]
    raise AssertionError(f"{formula.__name__} has no mark")


@pytest.mark.parametrize("formula", BAD, ids=lambda f: f.__name__)
def test_the_line_is_named(formula):
    line, message = _expected(formula)
    with pytest.raises(TypeError, match=f"^elementwise: {message}") as caught:
        fnn.elementwise(formula)
    text = str(caught.value)
    place = f'\n  File "{__file__}", line {line or formula.__code__.co_firstlineno}, in '
    assert place in text
    source = text.splitlines()[-1].strip()
    assert line is None or _MARK.search(source), "the line itself is shown"
    assert len(text.splitlines()) == 3, "no more than that"


def test_the_compilers_own_error_is_chained():
    with pytest.raises(TypeError) as caught:
        fnn.elementwise(attribute)
    assert type(caught.value.__cause__).__name__ == "TypingError"


def test_derivatives_are_checked_too():
    def derivative(x):
        return np.exp(x)

    for keyword in ("derivative", "derivative_from_output"):
        with pytest.raises(TypeError, match=r"np.exp is not vector code.*\n.*in derivative\n +return np.exp\(x\)"):
            fnn.elementwise(lambda x: vmath.exp(x), name="f", **{keyword: derivative})
        with pytest.raises(TypeError, match=f"elementwise: {keyword} of g has the arguments x, expected x, a as g"):
            fnn.elementwise(lambda x, a: a * vmath.exp(x), name="g", **{keyword: derivative})
        with pytest.raises(TypeError, match=f"elementwise: {keyword} is 3, expected a Python function"):
            fnn.elementwise(lambda x: x, name="f", **{keyword: 3})


def test_other_arguments():
    for f in (np.tanh, 3, "relu", math.exp):
        with pytest.raises(TypeError, match=r"elementwise: f is .*, expected a Python function"):
            fnn.elementwise(f)
    with pytest.raises(TypeError, match="elementwise: name is 3, expected a string"):
        fnn.elementwise(lambda x: x, name=3)


def test_closure_that_is_not_filled_yet():
    def early(x):
        return late * x

    with pytest.raises(TypeError, match=r"late is not defined\n.*\n +return late \* x"):
        fnn.elementwise(early)
    late = 2.0


def test_source_that_is_gone():
    scope = {}
    exec("def f(x):\n    return nothing(x)\n", scope)  # noqa: S102
    with pytest.raises(TypeError, match=r'nothing is not defined\n  File "<string>", line 2, in f$'):
        fnn.elementwise(scope["f"])


def test_assertion():  # not where pytest rewrites it
    scope = {}
    exec("def f(x):\n    assert x > 0\n    return x\n", scope)  # noqa: S102
    with pytest.raises(TypeError, match=r"f has an assertion, which compiled code cannot check\n.*line 2, in f$"):
        fnn.elementwise(scope["f"])


def test_without_the_compiler():
    code = "import fastnn as fnn\ndef f(x):\n    return x.nothing\nfnn.elementwise(f)"
    done = run_python(code, check=False, NUMBA_DISABLE_JIT="1")
    assert "TypeError: elementwise: f cannot be compiled: 'numpy.float32' object has no attribute" in done.stderr
