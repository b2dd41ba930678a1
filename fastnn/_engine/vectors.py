"""What kernels beyond an elementwise loop are written in: vectors of LANES elements, memory, formulas on lanes.

A job (see `fused`) is ordinary Python over integers (addresses, sizes), scalars and vectors. Everything here is the
plain-Python meaning, a NumPy array of LANES elements standing for a vector, and runs as it is with the JIT off; inside
compiled jobs `specialise` puts the instructions of `vector_intrinsics` in its place.

Vectors know + - * / (and & | ^ >> << of integers), comparisons, `fma` and `select`. Their number of lanes is the same
on every machine, so that sums have one order and results the same bits anywhere.
"""

import ctypes

import numpy as np

#: Lanes of every vector: one AVX-512 register of float32, two of float64.
LANES = 16


def word(base, index):
    """The index-th 64-bit integer at an address."""
    return ctypes.c_int64.from_address(int(base) + 8 * int(index)).value


def put_word(base, index, value):
    """Write the index-th 64-bit integer at an address."""
    ctypes.c_int64.from_address(int(base) + 8 * int(index)).value = int(value)


def real(base, index):
    """The index-th float64 at an address."""
    return np.float64(ctypes.c_double.from_address(int(base) + 8 * int(index)).value)


def put_real(base, index, value):
    """Write the index-th float64 at an address."""
    ctypes.c_double.from_address(int(base) + 8 * int(index)).value = float(value)


class Memory:
    """Arrays of one dtype, by address and index of the element.

    `stored` is the dtype that a kernel's caller has, `working` the one it computes in (float32 for float16).
    """

    def __init__(self, role, dtype=None):
        self.role, self.dtype = role, dtype

    def of(self, dtype):
        """The same role in a kernel for `dtype`."""
        kinds = {"stored": dtype, "working": np.float64 if dtype is np.float64 else np.float32, "double": np.float64}
        return Memory(self.role, np.dtype(kinds[self.role]))

    def _view(self, base, index, count):
        size = self.dtype.itemsize
        memory = (ctypes.c_char * (size * int(count))).from_address(int(base) + size * int(index))
        return np.frombuffer(memory, self.dtype)

    def _widened(self, values):
        return values.astype(np.float32 if self.dtype == np.float16 else self.dtype)

    def load(self, base, index):
        """LANES elements from `index` on, as a vector of the working dtype."""
        return self._widened(self._view(base, index, LANES))

    def load_part(self, base, index, count):
        """`count` elements, 0 to LANES, from `index` on; 0 in the other lanes."""
        result = np.zeros(LANES, np.float32 if self.dtype == np.float16 else self.dtype)
        if count > 0:
            result[: int(count)] = self._widened(self._view(base, index, count))
        return result

    def store(self, base, index, vector):
        """Write a vector of the working dtype."""
        self._view(base, index, LANES)[:] = vector

    def store_part(self, base, index, vector, count):
        """Write a vector's first `count` lanes."""
        if count > 0:
            self._view(base, index, count)[:] = vector[: int(count)]

    def stream(self, base, index, vector):
        """Write a vector past the caches, to an address that is a multiple of 64."""
        self.store(base, index, vector)

    def prefetch(self, base, index):
        """Ask for the line of an element, which need not exist, to be brought into the caches."""

    def prefetch_to_write(self, base, index):
        """The same for a line that is going to be written."""

    def get(self, base, index):
        """One element, in the working dtype."""
        return self._widened(self._view(base, index, 1))[0]

    def put(self, base, index, value):
        """Write one element."""
        self._view(base, index, 1)[0] = value

    def number(self, value):
        """A float64 number rounded to this dtype (float32 for float16)."""
        return self._widened(np.array([value]))[0]

    def narrowed(self, vector):
        """A float64 vector rounded to the working dtype."""
        return self._widened(vector)

    def size(self):
        """Bytes an element."""
        return self.dtype.itemsize


stored, working, double = Memory("stored"), Memory("working"), Memory("double")


class Several:
    """`count` arrays of the stored dtype, of one shape, that are read and written together."""

    def __init__(self, count, memory=stored):
        self.count, self.memory = count, memory

    def of(self, dtype):
        """The same arrays in a kernel for `dtype`."""
        return Several(self.count, self.memory.of(dtype))

    def addresses(self, base, index):
        """The words from the index-th on, as a tuple."""
        return tuple(word(base, index + k) for k in range(self.count))

    def load_part(self, addresses, index, count):
        """`Memory.load_part` of each, as a tuple."""
        return tuple(self.memory.load_part(address, index, count) for address in addresses)

    def store_part(self, addresses, index, vectors, count):
        """`Memory.store_part` of each."""
        for address, vector in zip(addresses, vectors, strict=True):
            self.memory.store_part(address, index, vector, count)

    def normal(self, vectors):
        """The vectors with 0 in place of subnormal numbers."""
        tiny = np.finfo(self.memory.dtype).tiny
        return tuple(np.where(np.abs(vector) < tiny, vector.dtype.type(0), vector) for vector in vectors)

    def numbers(self, base, index):
        """The float64 from the index-th word on, rounded to the working dtype, each as a vector."""
        return tuple(splat(self.memory.number(real(base, index + k))) for k in range(self.count))


class Lanewise:
    """A scalar formula applied to each lane; arguments are vectors and scalars of one float dtype.

    The dtype of the vectors decides which of a formula's implementations is taken.
    """

    def __init__(self, formula):
        self.formula = formula

    def __call__(self, *arguments):
        vectors = [a for a in arguments if np.ndim(a)]
        kind = vectors[0].dtype.type
        rows = [np.broadcast_to(np.asarray(a, kind), LANES) for a in arguments]
        with np.errstate(all="ignore"):
            return np.array([kind(self.formula(*lane)) for lane in zip(*rows, strict=True)], kind)


class Stack:
    """Bytes on the stack of a job, aligned to 64; calling it gives their address."""

    def __init__(self, size):
        self.bytes = size

    def __call__(self):
        memory = np.zeros(self.bytes + 64, np.uint8)
        _STACKS[self] = memory  # until the next call: jobs do not call themselves
        return memory.ctypes.data + -memory.ctypes.data % 64


_STACKS: dict[Stack, np.ndarray] = {}


def splat(value):
    """A vector of one value."""
    return np.full(LANES, value)


def root(vector):
    """Square roots; NaN of negative numbers."""
    with np.errstate(invalid="ignore"):
        return np.sqrt(vector)


def magnitude(vector):
    """Absolute values."""
    return np.abs(vector)


def shorts(value):
    """A vector of the low 16 bits of an integer, as uint16."""
    return np.full(LANES, np.uint16(int(value) & 0xFFFF))


def words(value):
    """A vector of the low 32 bits of an integer, as uint32."""
    return np.full(LANES, np.uint32(int(value) & 0xFFFFFFFF))


def longs(value):
    """A vector of the low 64 bits of an integer, as uint64."""
    return np.full(LANES, np.uint64(int(value) & 0xFFFFFFFFFFFFFFFF))


def wide(vector):
    """A vector, of floats or uint32, as float64."""
    return vector.astype(np.float64)


def below(count):
    """The mask of the lanes 0 to count - 1."""
    return np.arange(LANES) < count


def lane_numbers():
    """0, 1, 2 ... as a vector of uint64."""
    return np.arange(LANES, dtype=np.uint64)


def low_half(vector):
    """The low 32 bits of each uint64 lane, as uint32."""
    return (vector & np.uint64(0xFFFFFFFF)).astype(np.uint32)


def first_shorts(vector):
    """The two halves of each of the first LANES / 2 uint32, the low one first, as uint16."""
    return vector.view(np.uint16)[:LANES]


def last_shorts(vector):
    """The same of the last LANES / 2."""
    return vector.view(np.uint16)[LANES:]


def load_mask(base, index, count):
    """A mask from `count` bytes, 0 to LANES, from the index-th on; false in the other lanes."""
    values = ctypes.string_at(int(base) + int(index), int(count))
    return np.array([*values] + [0] * (LANES - len(values)), np.bool_)


def store_mask(base, index, mask, count):
    """Write a mask's first `count` lanes as bytes, 0 or 1."""
    ctypes.memmove(int(base) + int(index), mask.tobytes(), int(count))


def total(vector):
    """The sum of all lanes, by halves."""
    while len(vector) > 1:
        half = len(vector) // 2
        vector = vector[:half] + vector[half:]
    return vector[0]


def largest(vector):
    """The largest lane; NaNs lose where they are compared first."""
    while len(vector) > 1:
        half = len(vector) // 2
        vector = np.where(vector[:half] > vector[half:], vector[:half], vector[half:])
    return vector[0]


def any_lane(mask):
    """Whether a mask has a lane set."""
    return bool(mask.any())


def fence():
    """Streamed stores are seen by whoever sees what this thread writes next."""
