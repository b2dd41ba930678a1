"""A numba type for vectors of LANES elements, and its operators. Imported only when a kernel has to be compiled."""

import operator

from llvmlite import ir
from numba import types
from numba.core.typing.templates import AbstractTemplate, infer_global, signature
from numba.extending import lower_builtin, models, register_model

from .vectors import LANES


class Lanes(types.Type):
    """A vector of LANES elements of a numba scalar type."""

    def __init__(self, element):
        self.element = element
        super().__init__(f"Lanes({element})")


@register_model(Lanes)
class _LanesModel(models.PrimitiveModel):
    def __init__(self, manager, kind):
        super().__init__(manager, kind, ir.VectorType(manager.lookup(kind.element).get_value_type(), LANES))


SINGLES, DOUBLES, BOOLS = Lanes(types.float32), Lanes(types.float64), Lanes(types.boolean)
SHORTS, WORDS, LONGS = Lanes(types.uint16), Lanes(types.uint32), Lanes(types.uint64)
_INTEGERS = (SHORTS, WORDS, LONGS)


# --- operators -------------------------------------------------------------------------------------------------------


def _operator(function, emit, arity=2, allowed=(SINGLES, DOUBLES, *_INTEGERS), result=None):
    @infer_global(function)
    class _Template(AbstractTemplate):
        def generic(self, args, kws):
            same = len(args) == arity and all(a == args[0] for a in args)
            return signature(result or args[0], *args) if same and args[0] in allowed else None

    def lower(context, builder, sig, args):
        return emit(builder, sig.args[0] in (SINGLES, DOUBLES), *args)

    for kind in allowed:
        lower_builtin(function, *[kind] * arity)(lower)


def _either(real, integer):
    return lambda builder, is_float, *args: getattr(builder, real if is_float else integer)(*args)


def _comparison(symbol):
    def emit(builder, is_float, a, b):
        if not is_float:
            return builder.icmp_unsigned(symbol, a, b)
        compare = builder.fcmp_unordered if symbol == "!=" else builder.fcmp_ordered
        return compare(symbol, a, b)

    return emit


_operator(operator.add, _either("fadd", "add"))
_operator(operator.sub, _either("fsub", "sub"))
_operator(operator.mul, _either("fmul", "mul"))
_operator(operator.truediv, _either("fdiv", "udiv"), allowed=(SINGLES, DOUBLES))
_operator(operator.neg, _either("fneg", "neg"), 1, (SINGLES, DOUBLES))
_operator(operator.and_, _either("and_", "and_"), allowed=(*_INTEGERS, BOOLS))
_operator(operator.or_, _either("or_", "or_"), allowed=(*_INTEGERS, BOOLS))
_operator(operator.xor, _either("xor", "xor"), allowed=(*_INTEGERS, BOOLS))
_operator(operator.rshift, _either("lshr", "lshr"), allowed=_INTEGERS)
_operator(operator.lshift, _either("shl", "shl"), allowed=_INTEGERS)
for _symbol, _function in (
    ("<", operator.lt),
    ("<=", operator.le),
    (">", operator.gt),
    (">=", operator.ge),
    ("==", operator.eq),
    ("!=", operator.ne),
):
    _operator(_function, _comparison(_symbol), result=BOOLS)
