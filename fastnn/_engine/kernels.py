"""The loop around a formula: `void kernel(char **operands, intp n)` over contiguous arrays.

    for i in range(n):
        out[i] = formula(in0[i], in1[i], ..., parameters)

It is written as LLVM IR, since two things cannot be said in numba:

* `llvm.loop.parallel_accesses`: no iteration touches another one's elements. That is all the aliasing
  there is here, `out` being either apart from an input or that input itself. LLVM's own run-time
  overlap check would send in-place calls down a scalar loop (sigmoid of 10^5: 235 us instead of 16).
* The last n % BLOCK elements go through a copy padded to a whole block and the same vector code: there is
  no scalar loop at all, so that an element has the same bits wherever it stands, and ten elements
  cost one pass of a few vectors.
"""

import re

import numpy as np

from .native import compile_object, scalar_ir
from .specialise import specialise

#: Elements a pass; a multiple of every vector width x interleave count that LLVM picks (at most 16 x 4).
BLOCK = 64

_IR = {np.float32: "float", np.float64: "double"}

_TEMPLATE = """
declare i32 @{formula}({declared})
declare void @llvm.memcpy.p0.p0.i64(ptr, ptr, i64, i1)
declare void @llvm.memset.p0.i64(ptr, i8, i64, i1)

define void @{name}(ptr %operands, i64 %n) "prefer-vector-width"="512" {{
entry:
  %result = alloca {T}
{allocas}
{pointers}
{scalars}
  %body = and i64 %n, -{block}
  %rest = and i64 %n, {block_mask}
  %bytes = mul i64 %rest, {size}
  br label %pass
pass:
{pass_phis}
  %padded = phi i1 [false, %entry], [true, %copy_in]
  %counted = phi i64 [%body, %entry], [{block}, %copy_in]
  %count = and i64 %counted, -{block}
  %any = icmp ne i64 %count, 0
  br i1 %any, label %loop, label %after
loop:
  %i = phi i64 [0, %pass], [%next, %loop]
{loads}
  %status = call i32 @{formula}({call})
  %y = load {T}, ptr %result
  %y_at = getelementptr inbounds {T}, ptr %p{out}, i64 %i
  store {T} %y, ptr %y_at, align {size}, !llvm.access.group !0
  %next = add nuw nsw i64 %i, 1
  %done = icmp eq i64 %next, %count
  br i1 %done, label %after, label %loop, !llvm.loop !1
after:
  br i1 %padded, label %copy_out, label %more
more:
  %left = icmp ne i64 %rest, 0
  br i1 %left, label %copy_in, label %exit
copy_in:
{copies}
  br label %pass
copy_out:
  %out_at = getelementptr {T}, ptr %a{out}, i64 %body
  call void @llvm.memcpy.p0.p0.i64(ptr %out_at, ptr %t{out}, i64 %bytes, i1 false)
  br label %exit
exit:
  ret void
}}

!0 = distinct !{{}}
!1 = distinct !{{!1, !2, !3}}
!2 = !{{!"llvm.loop.parallel_accesses", !0}}
!3 = !{{!"llvm.loop.vectorize.enable", i1 true}}
"""


def kernel_ir(name, formula, dtype, nin, scalars) -> str:
    """IR of the loop; `scalars` are the inputs (by position) that are one value for the whole call."""
    T, size = _IR[dtype], np.dtype(dtype).itemsize
    arrays = [k for k in range(nin) if k not in scalars]
    every = [*arrays, nin]
    values = {k: f"%s{k}" if k in scalars else f"%x{k}" for k in range(nin)}

    def lines(text, which):
        return "\n".join(text.format(k=k, T=T, size=size, block=BLOCK, tail_bytes=BLOCK * size) for k in which)

    return _TEMPLATE.format(
        name=name,
        formula=formula,
        T=T,
        size=size,
        block=BLOCK,
        block_mask=BLOCK - 1,
        out=nin,
        declared=", ".join(["ptr, ptr", *[T] * nin]),
        call=", ".join(["ptr %result, ptr null", *(f"{T} {values[k]}" for k in range(nin))]),
        allocas=lines("  %t{k} = alloca [{block} x {T}], align 64", every),
        pointers=lines(
            "  %o{k} = getelementptr ptr, ptr %operands, i64 {k}\n  %a{k} = load ptr, ptr %o{k}", range(nin + 1)
        ),
        scalars=lines("  %s{k} = load {T}, ptr %a{k}, align {size}", scalars),
        pass_phis=lines("  %p{k} = phi ptr [%a{k}, %entry], [%t{k}, %copy_in]", every),
        loads=lines(
            "  %x{k}_at = getelementptr inbounds {T}, ptr %p{k}, i64 %i\n"
            "  %x{k} = load {T}, ptr %x{k}_at, align {size}, !llvm.access.group !0",
            arrays,
        ),
        copies=lines(
            "  %b{k} = getelementptr {T}, ptr %a{k}, i64 %body\n"
            "  call void @llvm.memset.p0.i64(ptr %t{k}, i8 0, i64 {tail_bytes}, i1 false)\n"
            "  call void @llvm.memcpy.p0.p0.i64(ptr %t{k}, ptr %b{k}, i64 %bytes, i1 false)",
            arrays,
        ),
    )


def kernel_parts(name, formula, dtype, nin, scalars=()):
    """(entry IR, [formula's IR]) of a kernel, ready to be linked."""
    import numba

    number = {np.float32: numba.float32, np.float64: numba.float64}[dtype]
    ir, symbol = scalar_ir(specialise(formula, dtype), number(*[number] * nin))
    return kernel_ir(name, symbol, dtype, nin, tuple(scalars)), [ir]


#: Length of the number in front of a kernel's object file: its formula's instructions, a measure of its cost.
COST_BYTES = 8


#: Functions that are there only after numba has been imported, which a process with all kernels on disk does not do.
_OF_NUMBA = re.compile(r"^declare .*?@((?:numba_|NRT_|Py|_Py)\w*)\(", re.MULTILINE)


def _check_self_contained(formula_ir: str) -> None:
    """A kernel has neither numba's run-time library nor anyone to hand an exception to."""
    needed = _OF_NUMBA.search(formula_ir)
    if needed:
        raise TypeError(f"it needs {needed[1]} of numba's run-time library, expected arithmetic of numbers")
    if set(re.findall(r"^  ret i32 (.*)$", formula_ir, re.MULTILINE)) - {"0"}:
        raise TypeError("it can raise an exception, which compiled code cannot (x**-2 does for 0, 1 / x**2 does not)")


def compile_kernel(name, formula, dtype, nin, scalars=()) -> bytes:
    """Cost and object file of the kernel `name`."""
    entry, parts = kernel_parts(name, formula, dtype, nin, scalars)
    _check_self_contained(parts[0])
    cost = max(1, sum(line.startswith("  %") for line in parts[0].splitlines()))
    return cost.to_bytes(COST_BYTES, "little") + compile_object(entry, parts, name)
