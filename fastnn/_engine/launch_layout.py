"""Words that `launch` reads, shared by Python and compiled code, and where CPython keeps things."""

POOL, ENVIRONMENT = 0, 1
FLOAT_TYPE, ARRAY_TYPE, NONE = 2, 3, 4  # addresses of objects
AS_INTEGER, FROM_INTEGER, ERROR_OCCURRED, BAD_ARGUMENT = 5, 6, 7, 8  # functions of Python's C API
RELEASE_GIL, TAKE_GIL = 9, 10
WORDS = 16

#: A job's context: the status that it may leave, then the arguments of the launch.
STATUS, FIRST_ARGUMENT = 0, 1
#: Arguments of a launch at most.
MAX_ARGUMENTS = 46

#: Words of a parameter's row in the table that `locate` fills in, see there; a rule's own words follow.
PARAMETER, GRADIENT, SIZE, NEEDED = 0, 1, 2, 3

#: Words before an object's own data: its reference count and type. A float's value and an array's data pointer follow.
HEADER = object.__basicsize__ // 8
TYPE = HEADER - 1
#: An array's words: data, number of dimensions (the low half), dimensions, strides, base, dtype, flags (the low half).
DATA, NDIM, SHAPE, DTYPE, FLAGS = HEADER, HEADER + 1, HEADER + 2, HEADER + 5, HEADER + 6
#: A list's words: its length, then where its items are.
LENGTH, ITEMS = HEADER, HEADER + 1
LOW_HALF = 0xFFFFFFFF
