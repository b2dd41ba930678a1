"""`vectors.Several` as LLVM instructions. Imported only when there is a kernel to compile."""

import types as python_types
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from . import memory
from . import vector_intrinsics as v
from .memory import F32, F64, I64, INTP
from .vector_type import SINGLES
from .vectors import LANES


def several(arrays) -> python_types.ModuleType:
    """A `vectors.Several` bound to a dtype, as numba sees it: a module of intrinsics over tuples."""
    count, dtype = arrays.count, arrays.memory.dtype.type
    vector = v._VECTOR[dtype]
    words, vectors = types.Tuple([INTP] * count), types.Tuple([vector] * count)
    module: Any = python_types.ModuleType(f"several_{count}_{np.dtype(dtype).name}")

    def gathered(context, builder, kind, element):
        return context.make_tuple(builder, kind, [element(k) for k in range(count)])

    @intrinsic
    def addresses(typingctx, base, index):
        def codegen(context, builder, signature, args):
            first = builder.gep(memory._pointer(builder, args[0], I64), [args[1]])
            return gathered(context, builder, words, lambda k: builder.load(builder.gep(first, [I64(k)])))

        return words(INTP, INTP), codegen

    @intrinsic
    def numbers(typingctx, base, index):
        def codegen(context, builder, signature, args):
            first = builder.gep(memory._pointer(builder, args[0], F64), [args[1]])

            def number(k):
                value = builder.load(builder.gep(first, [I64(k)]))
                return v._spread(builder, builder.fptrunc(value, F32) if vector == SINGLES else value)

            return gathered(context, builder, vectors, number)

        return vectors(INTP, INTP), codegen

    @intrinsic
    def load_part(typingctx, bases, index, lanes):
        def codegen(context, builder, signature, args):
            each = cgutils.unpack_tuple(builder, args[0], count)
            return gathered(
                context, builder, vectors, lambda k: v._load_part(builder, each[k], args[1], args[2], dtype)
            )

        return vectors(words, INTP, INTP), codegen

    @intrinsic
    def store_part(typingctx, bases, index, values, lanes):
        def codegen(context, builder, signature, args):
            each, written = cgutils.unpack_tuple(builder, args[0], count), cgutils.unpack_tuple(builder, args[2], count)
            for base, value in zip(each, written, strict=True):
                v._store_part(builder, base, args[1], value, args[3], dtype)
            return context.get_dummy_value()

        return types.void(words, INTP, vectors, INTP), codegen

    @intrinsic
    def normal(typingctx, values):
        def codegen(context, builder, signature, args):
            kind = context.get_value_type(vector)
            tiny = v._spread(builder, kind.element(float(np.finfo(dtype).tiny)))
            fabs = f"llvm.fabs.v{LANES}{'f32' if vector == SINGLES else 'f64'}"
            fabs = cgutils.get_or_insert_function(builder.module, ir.FunctionType(kind, [kind]), fabs)

            def flushed(value):
                small = builder.fcmp_ordered("<", builder.call(fabs, [value]), tiny)
                return builder.select(small, ir.Constant(kind, None), value)

            each = cgutils.unpack_tuple(builder, args[0], count)
            return gathered(context, builder, vectors, lambda k: flushed(each[k]))

        return vectors(vectors), codegen

    for function in (addresses, numbers, load_part, store_part, normal):
        setattr(module, function._name, function)
    return module
