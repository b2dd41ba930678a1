"""What a command says when it cannot do its work."""

import importlib
import zipfile
import zlib
from types import ModuleType

#: What np.load raises for files that are no .npz, are damaged, encrypted or hold pickled objects.
UNREADABLE = (OSError, ValueError, EOFError, RuntimeError, zipfile.BadZipFile, zlib.error)


class CommandError(Exception):
    """A message for the user: one line on standard error and exit code 2."""


def needs(module: str, extra: str = "train") -> ModuleType:
    """Import a module that only an extra installs; without it, say how to get it."""
    try:
        return importlib.import_module(module)
    except ImportError:
        package = module.partition(".")[0]
        raise CommandError(f'{package} is not installed; get it with: pip install "fastnn[{extra}]"') from None
