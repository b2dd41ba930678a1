"""A user's formula before it is compiled: lines that cannot be are named, and what the others refer to is frozen.

numba compiles more than a kernel can run: lists, strings and printing need its run-time library, an exception has
nowhere to go, a variable without a value is 0. So the bytecode is looked through first, and what it refers to (numbers,
other functions, modules) is copied: kernels are compiled when they are first needed, and must not meet other values
then.
"""

import builtins
import contextlib
import dis
import functools
import inspect
import linecache
import math
import re
import types
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from .definitions import definition_of
from .loop_layout import MAX_OPERANDS

#: Instructions that a formula cannot have, by the beginning of their names.
_REFUSED = {
    "RAISE_VARARGS": "raises an exception, which compiled code cannot",
    "LOAD_ASSERTION_ERROR": "has an assertion, which compiled code cannot check",
    "BUILD_LIST": "makes a list, expected numbers only",
    "BUILD_SET": "makes a set, expected numbers only",
    "BUILD_MAP": "makes a dict, expected numbers only",
    "BUILD_CONST_KEY_MAP": "makes a dict, expected numbers only",
    "BUILD_STRING": "makes a string, expected numbers only",
    "FORMAT_": "makes a string, expected numbers only",
    "STORE_GLOBAL": "assigns to a global variable",
    "STORE_DEREF": "assigns to a variable of another function",
    "STORE_ATTR": "assigns to an attribute",
    "STORE_SUBSCR": "assigns to an element",
    "IMPORT_NAME": "imports a module, expected that outside",
    "SETUP_": "has a try or with statement, which compiled code cannot",
}
_BUILTINS = ("abs", "bool", "float", "int", "max", "min", "pow", "range", "round")
#: Functions of math and NumPy that compiled code calls once an element, and that fastnn.vmath has as vector code.
_IN_VMATH = ("exp", "exp2", "expm1", "log", "log2", "log1p", "tanh", "erf", "erfc", "sin", "cos")
#: Names that the public function has for itself.
_TAKEN = ("x", "y", "dy", "out", "where")
_NEVER_RETURNS_A_NUMBER = inspect.CO_GENERATOR | inspect.CO_COROUTINE | inspect.CO_ASYNC_GENERATOR


class Namespace(types.ModuleType):
    """What a formula uses of a module, class or object that it names: `helpers.square`, `settings.slope`."""

    def __init__(self, name: str, attributes: dict[str, Any]):
        super().__init__(name)
        vars(self).update(attributes)
        self.attributes = attributes

    def __reduce__(self):
        return Namespace, (self.__name__, self.attributes)


def error_at(code: types.CodeType, line: int, text: str) -> TypeError:
    """The error that says what is wrong with a formula, and where."""
    message = f'elementwise: {text}\n  File "{code.co_filename}", line {line}, in {code.co_name}'
    source = linecache.getline(code.co_filename, line).strip()
    return TypeError(f"{message}\n    {source}" if source else message)


def frozen(function: types.FunctionType, name: str) -> types.FunctionType:
    """A copy of a formula that refers to nothing that may change, called `name`.

    Raises
    ------
    TypeError
        With the line that cannot be compiled.
    """
    code = function.__code__
    parameters = list(inspect.signature(function).parameters.values())
    starred = [p.name for p in parameters if p.kind not in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    if starred:
        problem = f"{name} has the argument {starred[0]}, which is not positional, expected x and parameters"
        raise error_at(code, code.co_firstlineno, problem)
    if not 1 <= len(parameters) <= MAX_OPERANDS - 2:  # a gradient takes dy too
        problem = f"{name} has {len(parameters)} arguments, expected 1 to {MAX_OPERANDS - 2}"
        raise error_at(code, code.co_firstlineno, problem)
    for p in parameters:
        if p.default is not p.empty and not _is_number(p.default):
            problem = f"{name} has the default {p.name}={p.default!r}, expected a number"
            raise error_at(code, code.co_firstlineno, problem)
    taken = [p.name for p in parameters[1:] if p.name in _TAKEN]
    if taken and any(p.default is not p.empty for p in parameters):
        problem = f"{name} has a parameter called {taken[0]}, expected another name"
        raise error_at(code, code.co_firstlineno, problem)
    copy = _Freezer().function(function)
    copy.__name__ = re.sub(r"\W", "_", name)
    return copy


def _is_number(value: Any) -> bool:
    return isinstance(value, (bool, int, float, np.floating, np.integer, np.bool_))


class _Freezer:
    """Copies a function and those that it calls."""

    def __init__(self) -> None:
        #: function -> its copy; None until that is done
        self.copies: dict[types.FunctionType, types.FunctionType | None] = {}

    def function(self, function: types.FunctionType) -> types.FunctionType:
        """A copy whose globals are what it refers to, copied too."""
        code = function.__code__
        self.copies[function] = None
        check_instructions(code)
        cells = dict(zip(code.co_freevars, function.__closure__ or (), strict=True))
        scope: dict[str, Any] = {"__name__": function.__module__}
        closed: dict[str, Any] = {}
        for line, path in references(code):
            name = path[0]
            into = closed if name in cells else scope
            value = self._found(function, name, cells.get(name), line)
            if value is not _BUILTIN:
                into[name] = self._part(code, line, name, path[1:], value, into.get(name))
        closure = tuple(types.CellType(closed.get(name)) for name in code.co_freevars)
        copy = types.FunctionType(code, scope, function.__name__, function.__defaults__, closure)
        copy.__doc__, copy.__qualname__ = function.__doc__, function.__qualname__
        self.copies[function] = copy
        return copy

    def _found(self, function: types.FunctionType, name: str, cell: Any, line: int) -> Any:
        """What a name stands for; `_BUILTIN` for the built-in functions that a formula may call."""
        if cell is None:
            if name in function.__globals__:
                return function.__globals__[name]
            if name in _BUILTINS:
                return _BUILTIN
        else:
            with contextlib.suppress(ValueError):  # nothing in it yet
                return cell.cell_contents
        if name == function.__name__:
            problem = f"{name} calls itself, expected a formula without recursion"
        elif hasattr(builtins, name):
            problem = f"{name} cannot be compiled, expected {', '.join(_BUILTINS)} or functions of fastnn.vmath"
        else:
            problem = f"{name} is not defined"
        raise error_at(function.__code__, line, problem)

    def _part(self, code: types.CodeType, line: int, name: str, path: list[str], value: Any, before: Any) -> Any:
        """What is kept of a value of which `path`, attribute after attribute, is used; `before`: by other lines."""
        if not path or _is_leaf(value):
            return self._leaf(code, line, name, value)
        known = dict(before.attributes) if isinstance(before, Namespace) else {}
        attribute, *rest = path
        name = f"{name}.{attribute}"
        if not hasattr(value, attribute):
            raise error_at(code, line, f"{name} is not defined")
        known[attribute] = self._part(code, line, name, rest, getattr(value, attribute), known.get(attribute))
        return Namespace(getattr(value, "__name__", name), known)

    def _leaf(self, code: types.CodeType, line: int, name: str, value: Any) -> Any:
        """A number as it is, a function as its copy."""
        if definition_of(value) is not None:
            return value  # elementwise itself: its formula is taken when this one is compiled
        if _is_number(value) or (isinstance(value, tuple) and all(map(_is_number, value))):
            return value
        if hasattr(value, "pair") or hasattr(value, "py_func") or _is_cast(value):
            return value
        if isinstance(value, types.FunctionType):
            if (value.__module__ or "").startswith("fastnn."):
                raise error_at(code, line, f"{name} is a function of arrays, expected one of numbers")
            copy = self.copies[value] if value in self.copies else self.function(value)
            if copy is None:
                raise error_at(code, line, f"{name} calls itself, expected a formula without recursion")
            return copy
        if isinstance(value, np.ufunc) or any(value is function for function in _MATH):
            if value.__name__ in _IN_VMATH:
                problem = f"{name} is not vector code in a formula, expected vmath.{value.__name__}"
                raise error_at(code, line, problem)
            return value
        raise error_at(code, line, f"{name} is {_described(value)}, expected a number or a function of numbers")


_BUILTIN = object()
_MATH = [function for function in vars(math).values() if callable(function)]


def _is_leaf(value: Any) -> bool:
    return _is_number(value) or isinstance(value, (tuple, str, np.ndarray, np.ufunc, types.FunctionType))


def _is_cast(value: Any) -> bool:
    return isinstance(value, type) and issubclass(value, (bool, int, float, np.floating, np.integer))


def _described(value: Any) -> str:
    if isinstance(value, np.ndarray):
        return f"an array of shape {value.shape}"
    if isinstance(value, types.ModuleType):
        return f"the module {value.__name__}"
    if isinstance(value, type):
        return f"the class {value.__name__}"
    return f"{value!r}" if value is None else f"of type {type(value).__name__}"


def instructions(code: types.CodeType, every: bool = False) -> Iterator[tuple[int, dis.Instruction]]:
    """(line, instruction) in order; `every`: with the prefixes of large arguments, where a jump may lead."""
    line = code.co_firstlineno
    starts = dict(dis.findlinestarts(code))
    for instruction in dis.get_instructions(code):
        line = starts.get(instruction.offset) or line
        if every or instruction.opname != "EXTENDED_ARG":
            yield line, instruction


@functools.cache
def global_names(code: types.CodeType) -> tuple[str, ...]:
    """Names that a function looks up in its module: `co_names` has those of attributes too."""
    named = (i.argval for _, i in instructions(code) if i.opname in ("LOAD_GLOBAL", "LOAD_NAME"))
    return tuple(dict.fromkeys(named))


def references(code: types.CodeType) -> Iterator[tuple[int, list[str]]]:
    """(line, [name, attribute, attribute ...]) of all that a function refers to outside itself."""
    path: list[str] = []
    begun = code.co_firstlineno
    for line, instruction in instructions(code):
        if path and instruction.opname in ("LOAD_ATTR", "LOAD_METHOD"):
            path.append(instruction.argval)
            continue
        if path:
            yield begun, path
        path = []
        if instruction.opname in ("LOAD_GLOBAL", "LOAD_NAME", "LOAD_DEREF"):
            path, begun = [instruction.argval], line


def check_instructions(code: types.CodeType) -> None:
    """Raises TypeError for what numba would compile to something that a kernel cannot run, or not compile."""
    if code.co_flags & _NEVER_RETURNS_A_NUMBER:
        raise error_at(code, code.co_firstlineno, f"{code.co_name} is a generator or coroutine, expected a function")
    if getattr(code, "co_exceptiontable", b""):
        raise error_at(code, code.co_firstlineno, f"{code.co_name} has a comprehension, try or with statement")
    before = None
    for line, instruction in instructions(code):
        name, value = instruction.opname, instruction.argval
        for beginning, text in _REFUSED.items():
            if name.startswith(beginning):
                raise error_at(code, line, f"{code.co_name} {text}")
        if isinstance(value, types.CodeType):
            raise error_at(code, line, f"{code.co_name} defines a function, expected it to be defined outside")
        if name in ("LOAD_CONST", "RETURN_CONST") and isinstance(value, (str, bytes, complex)):
            raise error_at(code, line, f"{value!r} is of type {type(value).__name__}, expected numbers only")
        if name in ("RETURN_VALUE", "RETURN_CONST"):
            last = instruction if name == "RETURN_CONST" else before
            if last is not None and last.opname in ("LOAD_CONST", "RETURN_CONST") and last.argval is None:
                problem = f"{code.co_name} returns None, expected a number on every path"
                raise error_at(code, line, problem)
            if last is not None and (last.opname == "BUILD_TUPLE" or isinstance(last.argval, tuple)):
                raise error_at(code, line, f"{code.co_name} returns a tuple, expected one number")
        before = instruction
    _check_assigned(code)


#: Instructions after which the next one is not reached.
_ENDS = re.compile(r"RETURN_|JUMP_(FORWARD|BACKWARD|ABSOLUTE)|RERAISE")


def _check_assigned(code: types.CodeType) -> None:
    """Every local variable must have a value wherever it is read."""
    listing = list(instructions(code, every=True))
    places = {instruction.offset: k for k, (_, instruction) in enumerate(listing)}
    #: instruction -> the names that have a value there whichever way it was reached
    known: dict[int, frozenset[str]] = {0: frozenset(code.co_varnames[: code.co_argcount])}
    waiting = [0]
    while waiting:
        k = waiting.pop()
        instruction, assigned = listing[k][1], known[k]
        for verb, name in _local_variables(instruction):
            assigned = assigned | {name} if verb == "STORE" else assigned - {name} if verb == "DELETE" else assigned
        following = [] if _ENDS.match(instruction.opname) else [k + 1]
        if instruction.opcode in (*dis.hasjrel, *dis.hasjabs):
            following.append(places[instruction.argval])
        for target in following:
            least = known.get(target, assigned) & assigned
            if known.get(target) != least:
                known[target] = least
                waiting.append(target)
    for k in sorted(known):
        line, instruction = listing[k]
        for verb, name in _local_variables(instruction):
            if verb == "LOAD" and name not in known[k]:
                raise error_at(code, line, f"{name} may be used before it has a value")


def _local_variables(instruction: dis.Instruction) -> list[tuple[str, str]]:
    """What an instruction does with local variables: [("LOAD", "x")]; newer versions of Python have ones for two."""
    names = instruction.argval if isinstance(instruction.argval, tuple) else (instruction.argval,)
    return list(zip(re.findall("(LOAD|STORE|DELETE)_FAST", instruction.opname), names, strict=False))


def compiler_error(name: str, function: types.FunctionType, error: Exception) -> TypeError:
    """What numba says about a frozen formula, in one line, with the line of it (or of a function it calls)."""
    text = str(error)
    said = [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("Failed in")]
    reason = said[0] if said else type(error).__name__
    if "No implementation of function" in reason:
        reason = f"no implementation of {said[1].removeprefix('>>>').strip()}"
    problem = f"{name} cannot be compiled: {reason}"
    codes = list(_codes(function))
    for path, line in re.findall(r"at (.+?) \((\d+)\)$", text, re.MULTILINE):
        for code in codes:
            if code.co_filename == path and int(line) in {number for *_, number in code.co_lines()}:
                return error_at(code, int(line), problem)
    return error_at(codes[0], codes[0].co_firstlineno, problem)


def _codes(function: types.FunctionType) -> Iterator[types.CodeType]:
    """The code of a frozen function and of those it calls."""
    yield function.__code__
    cells = [cell.cell_contents for cell in function.__closure__ or ()]
    pending: list[Any] = [*function.__globals__.values(), *cells]
    while pending:
        value = pending.pop()
        if isinstance(value, Namespace):
            pending.extend(value.attributes.values())
        elif isinstance(value, types.FunctionType) and not hasattr(value, "pair"):
            yield from _codes(value)


def composed(outer: Callable, inner: Callable) -> Callable:
    """outer(inner(x, parameters), parameters) as a formula: a derivative from the output, from the input."""
    names = ", ".join(f"p{k}" for k in range(inner.__code__.co_argcount - 1))
    scope: dict[str, Any] = {"outer": outer, "inner": inner, "__name__": __name__}
    exec(f"def composed(x, {names}):\n    return outer(inner(x, {names}), {names})", scope)  # noqa: S102
    return scope["composed"]
