"""The words (intp) of one inner loop's record: NumPy hands its address to the driver as `data`."""

#: Operands of a kernel at most, the output included.
MAX_OPERANDS = 8

KERNEL = 0  # address, for parameters that are one value each, as they nearly always are; 0 until first used
KERNEL_OF_ARRAYS = 1  # for parameters that vary by element
OPERANDS = 2  # of the kernel: inputs, parameters, output
PARAMETER = 3  # the first operand that is a parameter
SIZE = 4  # bytes an element has in the kernel
HALF = 5  # bit k: operand k is stored as float16
PARALLEL = 6  # elements from which on more than one core pays
STREAM = 7  # elements from which on stores go past the caches
NUMBER = 8  # of the record, for RESOLVE
POOL, RESOLVE, CHUNK, ENVIRONMENT = 9, 10, 11, 12  # addresses
WORDS = 16
