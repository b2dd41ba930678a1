"""The one inner loop NumPy calls, compiled: from (args, dims, steps, data) to calls of a kernel.

A kernel knows contiguous arrays of its own dtype only. Here is all the rest: strides, broadcast operands,
float16, overlapping operands, chunks for the thread pool, and stores past the caches. What a kernel cannot
take as it lies in memory is gathered, BLOCK elements at a time, into scratch that stays in L1.
"""

from . import loop_layout as L
from . import memory as m
from . import pool_layout as P
from .launch import launch
from .locate import locate
from .memory import copy2, copy4, copy8, half_to_single, load, single_to_half, store, stream_line
from .pool import helper, run
from .pool import stop as stop_helpers

#: Elements gathered, computed and scattered at a time. 256 leaves the scratch of four float64 operands in
#: half of L1; streaming was slower again from 1024 on.
BLOCK = 256

#: Elements from which on the output is brought to a line boundary first. NumPy's large arrays begin 16 bytes past
#: one, where every 64-byte store touches two lines (relu of a million float64 in place: 45 us instead of 65).
ALIGNED = 4096

_POINTERS = m.stack(8 * L.MAX_OPERANDS)
_SCRATCH = m.stack(8 * BLOCK * L.MAX_OPERANDS)
_CONTEXT, _SAVED = m.stack(64), m.stack(64)

# What a call's analysis finds, as bits.
GATHER, SEQUENTIAL, ARRAYS, STREAM = 1, 2, 4, 8

# A chunk's view of the call: words of the context.
RECORD, ARGS, STEPS, COUNT, CHUNK, FLAGS = 0, 1, 2, 3, 4, 5


def gather(target, source, step, count, size, half):
    """Operand -> contiguous scratch of the kernel's dtype."""
    if half:
        if step != 2:
            halves = target + 4 * BLOCK  # float32 fills the first half of an operand's scratch
            for i in range(count):
                copy2(halves + 2 * i, source + step * i)
            source = halves
        for i in range(count):
            half_to_single(target, source, i)
    elif size == 4:
        for i in range(count):
            copy4(target + 4 * i, source + step * i)
    else:
        for i in range(count):
            copy8(target + 8 * i, source + step * i)


def scatter(target, step, source, count, size, half):
    """Scratch -> operand."""
    if half:
        halves = target if step == 2 else source + 4 * BLOCK
        for i in range(count):
            single_to_half(halves, source, i)
        if step != 2:
            for i in range(count):
                copy2(target + step * i, halves + 2 * i)
    elif size == 4:
        for i in range(count):
            copy4(target + step * i, source + 4 * i)
    else:
        for i in range(count):
            copy8(target + step * i, source + 8 * i)


def stored(size, half, k):
    """Bytes an element of operand k has in memory."""
    return 2 if (half >> k) & 1 else size


def analyse(record, args, steps, n):
    """Which paths this call needs: the bits above."""
    last, first_parameter = load(record, L.OPERANDS) - 1, load(record, L.PARAMETER)
    size, half = load(record, L.SIZE), load(record, L.HALF)
    out, out_step = load(args, last), load(steps, last)
    flags, in_place = 0, False
    if half or out_step != size:
        flags |= GATHER
    low = min(0, out_step * (n - 1))
    high = max(0, out_step * (n - 1)) + stored(size, half, last)
    for k in range(last):
        step = load(steps, k)
        if k >= first_parameter:
            if step == 0:
                continue
            flags |= ARRAYS
        if step != size:
            flags |= GATHER
        distance = load(args, k) - out
        if distance == 0 and step == out_step:
            in_place = True
            continue
        # NumPy leaves operands to us that overlap with the input ahead (f(a[1:], out=a[:-1])), and in
        # accumulate with the input behind, where every element needs the one before.
        end = distance + max(0, step * (n - 1)) + stored(size, half, k)
        if end > low and distance + min(0, step * (n - 1)) < high:
            flags |= GATHER | SEQUENTIAL
    if out_step == 0 and n > 1:  # reduce
        flags |= GATHER | SEQUENTIAL
    if flags & ARRAYS:  # the parameters that do not vary are spread out
        for k in range(first_parameter, last):
            if load(steps, k) == 0:
                flags |= GATHER
    if n >= load(record, L.STREAM) and not flags & (GATHER | SEQUENTIAL) and not in_place:
        flags |= STREAM
    return flags


def blocks(record, args, steps, start, stop, flags):
    """Elements start..stop through scratch, BLOCK at a time; one at a time if they depend on each other."""
    last, first_parameter = load(record, L.OPERANDS) - 1, load(record, L.PARAMETER)
    size, half = load(record, L.SIZE), load(record, L.HALF)
    kernel = load(record, L.KERNEL_OF_ARRAYS) if flags & ARRAYS else load(record, L.KERNEL)
    pointers, scratch = _POINTERS(), _SCRATCH()
    sequential = flags & SEQUENTIAL
    out, out_step = load(args, last), load(steps, last)
    out_direct = out_step == size and not half and not flags & (STREAM | SEQUENTIAL)
    limit = 1 if sequential else BLOCK
    if flags & STREAM:  # whole lines can be streamed: an ordinary head up to the output's first line boundary
        limit = (-(out + start * size) & 63) // size or BLOCK
    while start < stop:
        count = min(stop - start, limit)
        for k in range(last):
            step = load(steps, k)
            source = load(args, k) + start * step
            is_half = (half >> k) & 1
            if (k >= first_parameter and not flags & ARRAYS) or (step == size and not is_half and not sequential):
                store(pointers, k, source)
            else:
                target = scratch + k * 8 * BLOCK
                gather(target, source, step, count, size, is_half)
                store(pointers, k, target)
        target = out + start * out_step
        result = target if out_direct else scratch + last * 8 * BLOCK
        store(pointers, last, result)
        m.call2(kernel, pointers, count)
        if flags & STREAM and count == BLOCK:
            for line in range(0, BLOCK * size, 64):
                stream_line(target + line, result + line)
        elif not out_direct:
            scatter(target, out_step, result, count, size, half)
        start += count
        if not sequential:
            limit = BLOCK
    if flags & STREAM:
        m.fence()


def direct(record, args, steps, start, stop, flags):
    """Elements start..stop as they lie in memory, in one call of the kernel."""
    kernel = load(record, L.KERNEL_OF_ARRAYS) if flags & ARRAYS else load(record, L.KERNEL)
    last, pointers = load(record, L.OPERANDS) - 1, _POINTERS()
    if stop - start >= ALIGNED:
        head = (-(load(args, last) + start * load(steps, last)) & 63) // load(record, L.SIZE)
        if head:
            point(record, args, steps, start, flags, pointers)
            m.call2(kernel, pointers, head)
            start += head
    point(record, args, steps, start, flags, pointers)
    m.call2(kernel, pointers, stop - start)


def point(record, args, steps, start, flags, pointers):
    """Addresses of the operands' elements from `start` on; parameters of one value stay where they are."""
    last, first_parameter = load(record, L.OPERANDS) - 1, load(record, L.PARAMETER)
    for k in range(last + 1):
        fixed = first_parameter <= k < last and not flags & ARRAYS
        store(pointers, k, load(args, k) + (0 if fixed else start * load(steps, k)))


def chunk(context, index):
    """The pool's job: one chunk of a call."""
    start = index * load(context, CHUNK)
    stop = min(start + load(context, CHUNK), load(context, COUNT))
    record, args, steps, flags = (
        load(context, RECORD),
        load(context, ARGS),
        load(context, STEPS),
        load(context, FLAGS),
    )
    if flags & (GATHER | SEQUENTIAL | STREAM):
        blocks(record, args, steps, start, stop, flags)
    else:
        direct(record, args, steps, start, stop, flags)
    return 0


def inner_loop(args, dims, steps, record):
    """What NumPy calls: void(char **args, intp *dims, intp *steps, void *data)."""
    n = load(dims, 0)
    flags = analyse(record, args, steps, n)
    # Again if a signal's handler raised before it could do anything: what it raised is dropped there.
    while not load(record, L.KERNEL_OF_ARRAYS if flags & ARRAYS else L.KERNEL):
        m.call2(load(record, L.RESOLVE), load(record, L.NUMBER), 1 if flags & ARRAYS else 0)
    # NumPy reports the status flags that a loop leaves behind; ours come from lanes and branches whose
    # results are thrown away. And other libraries leave flush-to-zero on.
    saved = _SAVED()
    m.save_environment(saved)
    m.restore_environment(load(record, L.ENVIRONMENT))
    threads = load(load(record, L.POOL), P.LIMIT)
    size = n
    if n < load(record, L.PARALLEL) or flags & SEQUENTIAL:
        threads = 1
    if threads > 1:  # four chunks a thread, of whole blocks
        size = ((n + 4 * threads - 1) // (4 * threads) + BLOCK - 1) // BLOCK * BLOCK
    context = _CONTEXT()
    store(context, RECORD, record)
    store(context, ARGS, args)
    store(context, STEPS, steps)
    store(context, COUNT, n)
    store(context, CHUNK, size)
    store(context, FLAGS, flags)
    if threads > 1:
        run(load(record, L.POOL), load(record, L.CHUNK), context, (n + size - 1) // size, threads)
    else:  # through its address too: one copy of all this code
        m.call2(load(record, L.CHUNK), context, 0)
    m.restore_environment(saved)
    return 0


#: What Python needs the addresses of.
EXPORTED = {
    "inner_loop": (inner_loop, 4),
    "chunk": (chunk, 2),
    "helper": (helper, 1),
    "stop": (stop_helpers, 1),
    "launch": (launch, 3),
    "locate": (locate, 3),
}
