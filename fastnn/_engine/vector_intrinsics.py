"""`vectors` as LLVM instructions, for `specialise` to put in. Imported only when there is a kernel to compile."""

import functools
import types as python_types
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from . import lanes, memory, vectors
from .memory import F32, F64, I8, I16, I32, I64, INTP
from .pairs import arity
from .vector_type import BOOLS, DOUBLES, LONGS, SHORTS, SINGLES, WORDS, Lanes
from .vectors import LANES

I1 = ir.IntType(1)
_ELEMENT = {np.float16: I16, np.float32: F32, np.float64: F64}
_VECTOR = {np.float16: SINGLES, np.float32: SINGLES, np.float64: DOUBLES}
_SCALAR = {np.float16: types.float32, np.float32: types.float32, np.float64: types.float64}
_NAME = {F32: "f32", F64: "f64", I16: "i16"}


def _spread(builder, value):
    """A scalar in every lane."""
    undefined = ir.Constant(ir.VectorType(value.type, LANES), ir.Undefined)
    first = builder.insert_element(undefined, value, I32(0))
    return builder.shuffle_vector(first, undefined, ir.Constant(ir.VectorType(I32, LANES), None))


def _mask_below(builder, count):
    numbers = ir.Constant(ir.VectorType(I64, LANES), [I64(k) for k in range(LANES)])
    return builder.icmp_signed("<", numbers, _spread(builder, count))


# --- memory ----------------------------------------------------------------------------------------------------------


def _lanes_at(builder, base, index, element):
    """Pointer to LANES elements: from base and index, not from one integer, LLVM sees what is contiguous."""
    pointer = builder.gep(memory._pointer(builder, base, element), [index])
    return builder.bitcast(pointer, ir.VectorType(element, LANES).as_pointer())


def _load(builder, base, index, dtype):
    element = _ELEMENT[dtype]
    value = builder.load(_lanes_at(builder, base, index, element), align=np.dtype(dtype).itemsize)
    return memory.half_to_single_value(builder, value) if dtype is np.float16 else value


def _load_part(builder, base, index, count, dtype):
    element = _ELEMENT[dtype]
    pointer, vector = _lanes_at(builder, base, index, element), ir.VectorType(element, LANES)
    kind = ir.FunctionType(vector, [pointer.type, I32, ir.VectorType(I1, LANES), vector])
    load = cgutils.get_or_insert_function(builder.module, kind, f"llvm.masked.load.v{LANES}{_NAME[element]}.p0")
    arguments = [pointer, I32(np.dtype(dtype).itemsize), _mask_below(builder, count), ir.Constant(vector, None)]
    value = builder.call(load, arguments)
    return memory.half_to_single_value(builder, value) if dtype is np.float16 else value


def _store(builder, base, index, value, dtype, align=None, stream=False):
    if dtype is np.float16:
        value = memory.single_to_half_value(builder, value)
    pointer = _lanes_at(builder, base, index, _ELEMENT[dtype])
    written = builder.store(value, pointer, align=align or np.dtype(dtype).itemsize)
    if stream:
        written.set_metadata("nontemporal", builder.module.add_metadata([I32(1)]))


def _store_part(builder, base, index, value, count, dtype):
    if dtype is np.float16:
        value = memory.single_to_half_value(builder, value)
    element = _ELEMENT[dtype]
    pointer = _lanes_at(builder, base, index, element)
    kind = ir.FunctionType(ir.VoidType(), [value.type, pointer.type, I32, ir.VectorType(I1, LANES)])
    store = cgutils.get_or_insert_function(builder.module, kind, f"llvm.masked.store.v{LANES}{_NAME[element]}.p0")
    builder.call(store, [value, pointer, I32(np.dtype(dtype).itemsize), _mask_below(builder, count)])


def memory_module(role: vectors.Memory) -> python_types.ModuleType:
    """A `vectors.Memory` bound to a dtype, as numba sees it: a module of intrinsics."""
    dtype = role.dtype.type
    vector, scalar = _VECTOR[dtype], _SCALAR[dtype]
    module: Any = python_types.ModuleType(f"{role.role}_{role.dtype.name}")

    def reading(emit, result, count):
        def codegen(context, builder, signature, args):
            return emit(builder, *args, dtype)

        return result(*[INTP] * count), codegen

    def writing(emit, *kinds):
        def codegen(context, builder, signature, args):
            emit(builder, *args, dtype)
            return context.get_dummy_value()

        return types.void(INTP, INTP, *kinds), codegen

    def get(builder, base, index, dtype):
        value = builder.load(builder.gep(memory._pointer(builder, base, _ELEMENT[dtype]), [index]))
        return memory.half_to_single_value(builder, value) if dtype is np.float16 else value

    def put(builder, base, index, value, dtype):
        if dtype is np.float16:
            value = memory.single_to_half_value(builder, value)
        builder.store(value, builder.gep(memory._pointer(builder, base, _ELEMENT[dtype]), [index]))

    def stream(builder, base, index, value, dtype):
        _store(builder, base, index, value, dtype, align=64 if dtype is not np.float16 else 32, stream=True)

    def prefetch(builder, base, index, dtype, to_write=0):
        pointer = builder.gep(memory._pointer(builder, base, _ELEMENT[dtype]), [index])
        kind = ir.FunctionType(ir.VoidType(), [pointer.type, I32, I32, I32])
        function = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0")
        builder.call(function, [pointer, I32(to_write), I32(3), I32(1)])  # into all caches, as data

    prefetch_to_write = functools.partial(prefetch, to_write=1)

    module.prefetch = intrinsic(lambda context, base, index: writing(prefetch))
    module.prefetch_to_write = intrinsic(lambda context, base, index: writing(prefetch_to_write))
    module.load = intrinsic(lambda context, base, index: reading(_load, vector, 2))
    module.load_part = intrinsic(lambda context, base, index, count: reading(_load_part, vector, 3))
    module.get = intrinsic(lambda context, base, index: reading(get, scalar, 2))
    module.store = intrinsic(lambda context, base, index, value: writing(_store, vector))
    module.stream = intrinsic(lambda context, base, index, value: writing(stream, vector))
    module.store_part = intrinsic(lambda context, base, index, value, count: writing(_store_part, vector, INTP))
    module.put = intrinsic(lambda context, base, index, value: writing(put, scalar))

    @intrinsic
    def number(typingctx, value):
        def codegen(context, builder, signature, args):
            return args[0] if scalar == types.float64 else builder.fptrunc(args[0], F32)

        return scalar(types.float64), codegen

    @intrinsic
    def narrowed(typingctx, value):
        def codegen(context, builder, signature, args):
            return args[0] if vector == DOUBLES else builder.fptrunc(args[0], ir.VectorType(F32, LANES))

        return vector(DOUBLES), codegen

    @intrinsic
    def size(typingctx):
        return INTP(), lambda context, builder, signature, args: I64(role.dtype.itemsize)

    module.number, module.narrowed, module.size = number, narrowed, size
    return module


@intrinsic
def real(typingctx, base, index):
    def codegen(context, builder, signature, args):
        return builder.load(builder.gep(memory._pointer(builder, args[0], F64), [args[1]]))

    return types.float64(INTP, INTP), codegen


@intrinsic
def put_real(typingctx, base, index, value):
    def codegen(context, builder, signature, args):
        builder.store(args[2], builder.gep(memory._pointer(builder, args[0], F64), [args[1]]))
        return context.get_dummy_value()

    return types.void(INTP, INTP, types.float64), codegen


# --- functions of vectors --------------------------------------------------------------------------------------------


@intrinsic
def splat(typingctx, value):
    kinds = (types.float32, types.float64, types.uint16, types.uint32, types.uint64)
    if value in kinds:
        return Lanes(value)(value), lambda context, builder, signature, args: _spread(builder, *args)
    return None


def _of_each_lane(instruction):
    @intrinsic
    def function(typingctx, vector):
        def codegen(context, builder, signature, args):
            name = f"llvm.{instruction}.v{LANES}{'f32' if vector == SINGLES else 'f64'}"
            kind = ir.FunctionType(args[0].type, [args[0].type])
            return builder.call(cgutils.get_or_insert_function(builder.module, kind, name), args)

        return (vector(vector), codegen) if vector in (SINGLES, DOUBLES) else None

    return function


root, magnitude = _of_each_lane("sqrt"), _of_each_lane("fabs")


def _spread_integer(kind):
    @intrinsic
    def spread(typingctx, value):
        def codegen(context, builder, signature, args):
            return _spread(builder, context.cast(builder, args[0], signature.args[0], kind.element))

        if isinstance(value, types.Integer):
            return kind(value), codegen
        return None

    return spread


shorts, words, longs = _spread_integer(SHORTS), _spread_integer(WORDS), _spread_integer(LONGS)


@intrinsic
def wide(typingctx, vector):
    def codegen(context, builder, signature, args):
        if signature.args[0] == DOUBLES:
            return args[0]
        if signature.args[0] == WORDS:
            return builder.uitofp(args[0], ir.VectorType(F64, LANES))
        return builder.fpext(args[0], ir.VectorType(F64, LANES))

    return DOUBLES(vector), codegen


@intrinsic
def below(typingctx, count):
    return BOOLS(INTP), lambda context, builder, signature, args: _mask_below(builder, *args)


@intrinsic
def lane_numbers(typingctx):
    def codegen(context, builder, signature, args):
        return ir.Constant(ir.VectorType(I64, LANES), [I64(k) for k in range(LANES)])

    return LONGS(), codegen


@intrinsic
def low_half(typingctx, vector):
    def codegen(context, builder, signature, args):
        return builder.trunc(args[0], ir.VectorType(I32, LANES))

    return WORDS(LONGS), codegen


def _shorts_from(start):
    @intrinsic
    def shorts_from(typingctx, vector):
        def codegen(context, builder, signature, args):
            halves = builder.bitcast(args[0], ir.VectorType(I16, 2 * LANES))
            places = ir.Constant(ir.VectorType(I32, LANES), [I32(start + k) for k in range(LANES)])
            return builder.shuffle_vector(halves, ir.Constant(halves.type, ir.Undefined), places)

        return SHORTS(WORDS), codegen

    return shorts_from


first_shorts, last_shorts = _shorts_from(0), _shorts_from(LANES)


def _bytes_at(builder, base, index):
    vector = ir.VectorType(I8, LANES)
    return builder.bitcast(builder.gep(memory._pointer(builder, base, I8), [index]), vector.as_pointer()), vector


@intrinsic
def load_mask(typingctx, base, index, count):
    def codegen(context, builder, signature, args):
        pointer, vector = _bytes_at(builder, *args[:2])
        kind = ir.FunctionType(vector, [pointer.type, I32, ir.VectorType(I1, LANES), vector])
        load = cgutils.get_or_insert_function(builder.module, kind, f"llvm.masked.load.v{LANES}i8.p0")
        value = builder.call(load, [pointer, I32(1), _mask_below(builder, args[2]), ir.Constant(vector, None)])
        return builder.icmp_unsigned("!=", value, ir.Constant(vector, None))

    return BOOLS(INTP, INTP, INTP), codegen


@intrinsic
def store_mask(typingctx, base, index, mask, count):
    def codegen(context, builder, signature, args):
        pointer, vector = _bytes_at(builder, *args[:2])
        kind = ir.FunctionType(ir.VoidType(), [vector, pointer.type, I32, ir.VectorType(I1, LANES)])
        store = cgutils.get_or_insert_function(builder.module, kind, f"llvm.masked.store.v{LANES}i8.p0")
        value = builder.zext(args[2], vector)
        builder.call(store, [value, pointer, I32(1), _mask_below(builder, args[3])])
        return context.get_dummy_value()

    return types.void(INTP, INTP, BOOLS, INTP), codegen


def _by_halves(combine):
    """A scalar from all lanes: the upper half combined with the lower one until one lane is left."""

    def codegen(context, builder, signature, args):
        (value,), count = args, LANES
        while count > 1:
            count //= 2
            halves = [
                builder.shuffle_vector(
                    value,
                    ir.Constant(value.type, ir.Undefined),
                    ir.Constant(ir.VectorType(I32, count), [I32(start + k) for k in range(count)]),
                )
                for start in (0, count)
            ]
            value = combine(builder, *halves)
        return builder.extract_element(value, I32(0))

    return codegen


@intrinsic
def total(typingctx, vector):
    if vector in (SINGLES, DOUBLES):
        return vector.element(vector), _by_halves(lambda builder, a, b: builder.fadd(a, b))
    return None


@intrinsic
def largest(typingctx, vector):
    def combine(builder, a, b):
        return builder.select(builder.fcmp_ordered(">", a, b), a, b)

    if vector in (SINGLES, DOUBLES):
        return vector.element(vector), _by_halves(combine)
    return None


@intrinsic
def any_lane(typingctx, mask):
    def codegen(context, builder, signature, args):
        return builder.icmp_unsigned("!=", builder.bitcast(args[0], ir.IntType(LANES)), ir.IntType(LANES)(0))

    return types.boolean(BOOLS), codegen


def lanewise(formula):
    """`vectors.Lanewise`: a call of the formula's own vector code (see `lanes`), inlined when the kernel is linked."""
    count = arity(formula)
    names = ", ".join(f"a{k}" for k in range(count))

    def call(*kinds):
        vector = next(kind for kind in kinds if isinstance(kind, Lanes))
        element = vector.element
        real_type = {types.float32: F32, types.float64: F64}[element]
        dtype = np.float32 if element == types.float32 else np.float64
        # scalars, Python constants among them, are of the vectors' dtype
        typed = [kind if isinstance(kind, Lanes) else element for kind in kinds]

        def codegen(context, builder, signature, args):
            full = ir.VectorType(real_type, LANES)
            places = []
            for argument in args:
                value = argument if argument.type == full else _spread(builder, argument)
                places.append(_slot(builder, full))
                builder.store(value, places[-1])
            out = _slot(builder, full)
            kind = ir.FunctionType(ir.VoidType(), [full.as_pointer()] * (count + 1))
            function = cgutils.get_or_insert_function(builder.module, kind, lanes.part(formula, dtype))
            builder.call(function, [out, *places])
            return builder.load(out)

        return vector(*typed), codegen

    scope = {"call": call}
    exec(f"def lanewise(typingctx, {names}):\n    return call({names})", scope)  # noqa: S102
    return intrinsic(scope["lanewise"])


def _slot(builder, kind):
    with builder.goto_entry_block():
        return builder.alloca(kind)


def stack(size):
    """`vectors.Stack`."""
    return memory.stack(size)


#: name in `vectors` -> its compiled form
INTRINSICS = {
    vectors.word: memory.load,
    vectors.put_word: memory.store,
    vectors.fence: memory.fence,
    **{
        getattr(vectors, name): globals()[name]
        for name in (
            "real", "put_real", "splat", "root", "magnitude", "shorts", "words", "longs", "wide", "below",
            "lane_numbers", "low_half", "first_shorts", "last_shorts", "load_mask", "store_mask", "total", "largest",
            "any_lane",
        )
    },
}  # fmt: skip
