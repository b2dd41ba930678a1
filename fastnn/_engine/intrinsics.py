"""`primitives` as LLVM instructions: what `specialise` puts in their place."""

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from . import primitives, vector_intrinsics
from .vector_type import BOOLS, DOUBLES, SINGLES, Lanes
from .vectors import LANES

I32, I64, F32, F64 = ir.IntType(32), ir.IntType(64), ir.FloatType(), ir.DoubleType()


@intrinsic
def fma(typingctx, a, b, c):
    def codegen(context, builder, signature, args):
        if not isinstance(a, Lanes):
            return builder.fma(*args)
        name = f"llvm.fma.v{LANES}f{32 if a == SINGLES else 64}"
        kind = ir.FunctionType(args[0].type, [args[0].type] * 3)
        return builder.call(cgutils.get_or_insert_function(builder.module, kind, name), args)

    if a == b == c and a in (types.float32, types.float64, SINGLES, DOUBLES):
        return a(a, a, a), codegen
    return None


def _bits(value, real, integer):
    @intrinsic
    def from_float(typingctx, x):
        def codegen(context, builder, signature, args):
            return builder.bitcast(args[0], integer)

        if x == value:
            return (types.int32 if integer is I32 else types.int64)(x), codegen
        return None

    @intrinsic
    def to_float(typingctx, i):
        def codegen(context, builder, signature, args):
            i = args[0]
            if i.type.width > integer.width:
                i = builder.trunc(i, integer)
            return builder.bitcast(i, real)

        if isinstance(i, types.Integer):
            return value(i), codegen
        return None

    return from_float, to_float


f32_bits, f32_from_bits = _bits(types.float32, F32, I32)
f64_bits, f64_from_bits = _bits(types.float64, F64, I64)


@intrinsic
def to_f32(typingctx, x):
    def codegen(context, builder, signature, args):
        return context.cast(builder, args[0], x, types.float32)

    return types.float32(x), codegen


@intrinsic
def to_f64(typingctx, x):
    def codegen(context, builder, signature, args):
        return context.cast(builder, args[0], x, types.float64)

    return types.float64(x), codegen


@intrinsic
def select(typingctx, condition, a, b):
    def codegen(context, builder, signature, args):
        return builder.select(args[0], args[1], args[2])

    if a == b and condition == (BOOLS if isinstance(a, Lanes) else types.boolean):
        return a(condition, a, b), codegen
    return None


#: primitive -> its compiled form
INTRINSICS = {getattr(primitives, name): globals()[name] for name in primitives.__all__} | vector_intrinsics.INTRINSICS
