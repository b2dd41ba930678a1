"""A scalar formula for LANES elements at once: `void part(ptr out, ptr a0, ptr a1, ...)`.

The loop over the lanes is vectorised to a single pass and disappears (not unrolled before that, which leaves short
formulas scalar: mse of 10^5 would take 92 us instead of 19); inlined into a kernel, the arrays it reads and writes
become registers. So a formula is written once, for one number, and used inside any kernel.
"""

import numpy as np

from .fingerprint import fingerprint
from .native import promise
from .pairs import Pair, arity
from .vectors import LANES

_TEMPLATE = """
declare i32 @{formula}({declared})

define void @{name}({arguments}) "prefer-vector-width"="512" {{
entry:
  %result = alloca {T}
  br label %loop
loop:
  %i = phi i64 [0, %entry], [%next, %loop]
{loads}
  %status = call i32 @{formula}({call})
  %y = load {T}, ptr %result
  %y_at = getelementptr inbounds {T}, ptr %out, i64 %i
  store {T} %y, ptr %y_at, align {size}, !llvm.access.group !0
  %next = add nuw nsw i64 %i, 1
  %done = icmp eq i64 %next, {lanes}
  br i1 %done, label %exit, label %loop, !llvm.loop !1
exit:
  ret void
}}

!0 = distinct !{{}}
!1 = distinct !{{!1, !2, !3, !4, !5, !6}}
!2 = !{{!"llvm.loop.parallel_accesses", !0}}
!3 = !{{!"llvm.loop.vectorize.enable", i1 true}}
!4 = !{{!"llvm.loop.vectorize.width", i32 {lanes}}}
!5 = !{{!"llvm.loop.interleave.count", i32 1}}
!6 = !{{!"llvm.loop.unroll.disable"}}
"""

_IR = {np.float32: "float", np.float64: "double"}
#: symbol -> the (formula, dtype) that it stands for, and its IR once it was needed
_PROMISED: dict[str, tuple] = {}
_PARTS: dict[str, str] = {}


def part(formula, dtype) -> str:
    """The symbol of a formula's vector code for a dtype.

    Its code is made later: numba, in the midst of the kernel that uses it, may be close to Python's recursion limit.
    """
    if isinstance(formula, Pair):
        formula = formula.implementation(dtype)
    symbol = f"fastnn_lanes_{formula.__name__}_{np.dtype(dtype).name}_{fingerprint(formula)}"
    if symbol not in _PROMISED:
        _PROMISED[symbol] = formula, dtype
        promise(symbol)
    return symbol


def needed_by(ir: str) -> list[str]:
    """IR of the parts that a module declares, each made once."""
    symbols = [symbol for symbol in _PROMISED if symbol in ir]
    for symbol in symbols:
        if symbol not in _PARTS:
            _PARTS[symbol] = _vector_ir(symbol, *_PROMISED[symbol])
    return [_PARTS[symbol] for symbol in symbols]


def _vector_ir(symbol: str, formula, dtype) -> str:
    import numba

    from .native import optimised, scalar_ir
    from .specialise import specialise

    T, size, count = _IR[dtype], np.dtype(dtype).itemsize, arity(formula)
    number = {np.float32: numba.float32, np.float64: numba.float64}[dtype]
    formula_ir, name = scalar_ir(specialise(formula, dtype), number(*[number] * count))
    loads = "\n".join(
        f"  %x{k}_at = getelementptr inbounds {T}, ptr %a{k}, i64 %i\n"
        f"  %x{k} = load {T}, ptr %x{k}_at, align {size}, !llvm.access.group !0"
        for k in range(count)
    )
    entry = _TEMPLATE.format(
        name=symbol,
        formula=name,
        T=T,
        size=size,
        lanes=LANES,
        loads=loads,
        declared=", ".join(["ptr, ptr", *[T] * count]),
        arguments=", ".join(["ptr %out", *(f"ptr %a{k}" for k in range(count))]),
        call=", ".join(["ptr %result, ptr null", *(f"{T} %x{k}" for k in range(count))]),
    )
    return optimised(entry, [formula_ir], symbol)
