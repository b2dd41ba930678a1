"""Raw memory, atomics, foreign calls and the floating-point environment, for the compiled driver.

Addresses are plain intp integers throughout. Imported only when the driver has to be compiled.
"""

import platform

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

INTP = types.intp
I8, I16, I32, I64, F32, F64 = (*map(ir.IntType, (8, 16, 32, 64)), ir.FloatType(), ir.DoubleType())
_X86 = platform.machine().lower() in ("x86_64", "amd64")


def _pointer(builder, address, kind):
    return builder.inttoptr(address, kind.as_pointer())


@intrinsic
def load(typingctx, base, index):
    """The index-th intp at base."""

    def codegen(context, builder, signature, args):
        return builder.load(builder.gep(_pointer(builder, args[0], I64), [args[1]]))

    return INTP(INTP, INTP), codegen


@intrinsic
def store(typingctx, base, index, value):
    def codegen(context, builder, signature, args):
        builder.store(args[2], builder.gep(_pointer(builder, args[0], I64), [args[1]]))
        return context.get_dummy_value()

    return types.void(INTP, INTP, INTP), codegen


def stack(size):
    """An intrinsic that gives the address of `size` bytes on the stack, 64-byte aligned."""

    @intrinsic
    def allocate(typingctx):
        def codegen(context, builder, signature, args):
            with builder.goto_entry_block():  # numba's own alloca_once would also fill it, a store a byte
                memory = builder.alloca(ir.ArrayType(I8, size))
            memory.align = 64
            return builder.ptrtoint(memory, I64)

        return INTP(), codegen

    return allocate


def _copier(kind, size):
    """Copy one element. The load is atomic, an ordinary one to the processor, to keep LLVM from vectorising the loops
    over strides: that gains nothing and makes the driver's compilation longer."""

    @intrinsic
    def copy(typingctx, target, source):
        def codegen(context, builder, signature, args):
            value = builder.load_atomic(_pointer(builder, args[1], kind), "monotonic", size)
            builder.store(value, _pointer(builder, args[0], kind), align=size)
            return context.get_dummy_value()

        return types.void(INTP, INTP), codegen

    return copy


copy2, copy4, copy8 = _copier(I16, 2), _copier(I32, 4), _copier(I64, 8)


def _element(builder, base, kind, index):
    """Address of base[index]. From an index, and not from an address made of integers, LLVM sees a contiguous loop."""
    return builder.gep(_pointer(builder, base, kind), [index])


def _like(value, kind):
    """(constant maker, type) of integers `kind` with as many lanes as `value`, which may be a scalar."""
    if isinstance(value.type, ir.VectorType):
        vector = ir.VectorType(kind, value.type.count)
        return (lambda number: ir.Constant(vector, [kind(number)] * vector.count)), vector
    return kind, kind


def half_to_single_value(builder, half):
    """float16 bits to float32, scalars or vectors.

    Integer arithmetic that vectorises anywhere: LLVM's own conversion is a library call, missing at run time, on
    processors without it.
    """
    i32, words = _like(half, I32)
    singles = _like(half, F32)[1]
    half = builder.zext(half, words)
    sign = builder.shl(builder.and_(half, i32(0x8000)), i32(16))
    shifted = builder.shl(builder.and_(half, i32(0x7FFF)), i32(13))
    # rebias the exponent by an exact product, which normalises subnormals too
    scaled = builder.bitcast(builder.fmul(builder.bitcast(shifted, singles), _like(half, F32)[0](2.0**112)), words)
    special = builder.icmp_unsigned(">=", shifted, i32(0x7C00 << 13))
    value = builder.select(special, builder.or_(scaled, i32(0x7F800000)), scaled)
    return builder.bitcast(builder.or_(value, sign), singles)


def single_to_half_value(builder, single):
    """float32 to the bits of the nearest float16, ties to even; scalars or vectors."""
    i32, words = _like(single, I32)
    singles, halves = _like(single, F32)[1], _like(single, I16)[1]
    bits = builder.bitcast(single, words)
    magnitude = builder.and_(bits, i32(0x7FFFFFFF))
    sign = builder.and_(builder.lshr(bits, i32(16)), i32(0x8000))
    # normal: rebias, and add half an ulp less one, plus one where the kept mantissa is odd
    odd = builder.and_(builder.lshr(magnitude, i32(13)), i32(1))
    rebiased = builder.add(magnitude, i32((0xFFF - (112 << 23)) & 0xFFFFFFFF))
    normal = builder.lshr(builder.add(rebiased, odd), i32(13))
    # subnormal: adding 1/2 shifts the mantissa into place with the processor's own rounding
    summed = builder.fadd(builder.bitcast(magnitude, singles), _like(single, F32)[0](0.5))
    subnormal = builder.sub(builder.bitcast(summed, words), i32(0x3F000000))
    quiet = builder.and_(builder.lshr(magnitude, i32(13)), i32(0x3FF))
    nan = builder.or_(quiet, i32(0x7E00))
    is_nan = builder.icmp_unsigned(">", magnitude, i32(0x7F800000))
    result = builder.select(builder.icmp_unsigned("<", magnitude, i32(0x38800000)), subnormal, normal)
    large = builder.icmp_unsigned(">=", magnitude, i32(0x47800000))
    result = builder.select(large, builder.select(is_nan, nan, i32(0x7C00)), result)
    return builder.trunc(builder.or_(result, sign), halves)


@intrinsic
def half_to_single(typingctx, target, source, index):
    """target[index] = source[index], float16 to float32."""

    def codegen(context, builder, signature, args):
        half = builder.load(_element(builder, args[1], I16, args[2]), align=2)
        builder.store(half_to_single_value(builder, half), _element(builder, args[0], F32, args[2]), align=4)
        return context.get_dummy_value()

    return types.void(INTP, INTP, INTP), codegen


@intrinsic
def single_to_half(typingctx, target, source, index):
    """target[index] = source[index], float32 to the nearest float16."""

    def codegen(context, builder, signature, args):
        single = builder.load(_element(builder, args[1], F32, args[2]), align=4)
        builder.store(single_to_half_value(builder, single), _element(builder, args[0], I16, args[2]), align=2)
        return context.get_dummy_value()

    return types.void(INTP, INTP, INTP), codegen


@intrinsic
def stream_line(typingctx, target, source):
    """Copy one 64-byte line past the caches: an ordinary store would first read what it overwrites."""

    def codegen(context, builder, signature, args):
        line = ir.VectorType(F32, 16)
        value = builder.load(_pointer(builder, args[1], line), align=64)
        written = builder.store(value, _pointer(builder, args[0], line), align=64)
        written.set_metadata("nontemporal", builder.module.add_metadata([I32(1)]))
        return context.get_dummy_value()

    return types.void(INTP, INTP), codegen


@intrinsic
def fence(typingctx):
    """Order all earlier stores, non-temporal ones included, before later ones."""

    def codegen(context, builder, signature, args):
        if _X86:
            function = ir.FunctionType(ir.VoidType(), [])
            builder.call(cgutils.get_or_insert_function(builder.module, function, "llvm.x86.sse.sfence"), [])
        builder.fence("seq_cst")
        return context.get_dummy_value()

    return types.void(), codegen


@intrinsic
def pause(typingctx):
    """Tell the processor that this is a spinning loop."""

    def codegen(context, builder, signature, args):
        if _X86:
            function = ir.FunctionType(ir.VoidType(), [])
            builder.call(cgutils.get_or_insert_function(builder.module, function, "llvm.x86.sse2.pause"), [])
        return context.get_dummy_value()

    return types.void(), codegen


@intrinsic
def atomic_load(typingctx, address):
    def codegen(context, builder, signature, args):
        return builder.load_atomic(_pointer(builder, args[0], I64), "seq_cst", 8)

    return INTP(INTP), codegen


@intrinsic
def atomic_store(typingctx, address, value):
    def codegen(context, builder, signature, args):
        builder.store_atomic(args[1], _pointer(builder, args[0], I64), "seq_cst", 8)
        return context.get_dummy_value()

    return types.void(INTP, INTP), codegen


@intrinsic
def atomic_add(typingctx, address, value):
    """Add, and give the value before."""

    def codegen(context, builder, signature, args):
        return builder.atomic_rmw("add", _pointer(builder, args[0], I64), args[1], "seq_cst")

    return INTP(INTP, INTP), codegen


@intrinsic
def atomic_exchange(typingctx, address, value):
    """Replace, and give the value before."""

    def codegen(context, builder, signature, args):
        return builder.atomic_rmw("xchg", _pointer(builder, args[0], I64), args[1], "seq_cst")

    return INTP(INTP, INTP), codegen


def _caller(count):
    def codegen(context, builder, signature, args):
        kind = ir.FunctionType(I64, [I64] * count)
        return builder.call(_pointer(builder, args[0], kind), args[1:])

    return codegen


@intrinsic
def call1(typingctx, function, a):
    """Call the C function at an address; what it returns means nothing unless it returns an integer."""
    return INTP(INTP, INTP), _caller(1)


@intrinsic
def call2(typingctx, function, a, b):
    return INTP(INTP, INTP, INTP), _caller(2)


@intrinsic
def call3(typingctx, function, a, b, c):
    return INTP(INTP, INTP, INTP, INTP), _caller(3)


@intrinsic
def call4(typingctx, function, a, b, c, d):
    return INTP(INTP, INTP, INTP, INTP, INTP), _caller(4)


def _environment(x86_name, c_name):
    """An intrinsic over one address: MXCSR where there is one, else C's whole environment (fenv.h)."""

    @intrinsic
    def transfer(typingctx, memory):
        def codegen(context, builder, signature, args):
            pointer = _pointer(builder, args[0], I8)
            result, name = (ir.VoidType(), x86_name) if _X86 else (I32, c_name)
            function = ir.FunctionType(result, [I8.as_pointer()])
            builder.call(cgutils.get_or_insert_function(builder.module, function, name), [pointer])
            return context.get_dummy_value()

        return types.void(INTP), codegen

    return transfer


save_environment = _environment("llvm.x86.sse.stmxcsr", "fegetenv")
restore_environment = _environment("llvm.x86.sse.ldmxcsr", "fesetenv")
