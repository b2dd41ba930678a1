"""What thinc finds as an entry point: ops that are imported when asked for, not whenever thinc lists its ops."""

from typing import Any


class LazyOps:
    """Stands for `FastnnOps` in thinc's table of ops, which needs a name and something to call.

    thinc loads every entry point of the group when it looks any ops up: the class itself there would make each
    program that uses thinc import fastnn's kernels, and fail where the installed thinc is of a version that does not
    work.
    """

    name = "fastnn"

    def __call__(self, **keywords: Any) -> Any:
        """The ops themselves."""
        from .thinc import FastnnOps

        return FastnnOps(**keywords)


ops = LazyOps()
