"""Show what fastnn runs on: CPU, SIMD features, threads, cache folder and versions."""

import argparse
import os
import platform
from importlib import metadata

import fastnn as fnn

from .._engine import cache, native
from .._version import __version__

#: Features worth a line, widest first: (LLVM's name, bits of its vectors).
_SIMD = (("avx512f", 512), ("avx2", 256), ("avx", 256), ("sse4.2", 128), ("sve", 128), ("neon", 128))
_PACKAGES = ("numpy", "numba", "llvmlite", "scipy", "torch")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """No options."""


def run(options: argparse.Namespace) -> None:
    """Print a line a fact."""
    for label, value in facts():
        print(f"{label:<14}{value}")


def facts() -> list[tuple[str, str]]:
    """(label, value) of everything shown."""
    cpu, features = native.host()
    enabled = {feature[1:] for feature in features.split(",") if feature.startswith("+")}
    found = [(name, bits) for name, bits in _SIMD if name in enabled]
    simd = f"{found[0][1]} bits ({', '.join(name for name, _ in found)})" if found else "none known"
    folder = cache.folder()
    return [
        ("fastnn", __version__),
        ("python", f"{platform.python_version()} ({platform.system()} {platform.machine()})"),
        *((package, version) for package in _PACKAGES if (version := _version(package))),
        ("CPU", f"{_model_name()} (LLVM: {cpu})"),
        ("SIMD", simd),
        ("threads", f"{fnn.get_num_threads()} of {os.cpu_count()} cores"),
        ("cache folder", f"{folder} ({_kilobytes(folder)} KiB)" if folder else "none is writable: compiling each time"),
    ]


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _model_name() -> str:
    """The CPU as its maker calls it, where the system tells."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as file:
            for line in file:
                if line.startswith("model name"):
                    return line.partition(":")[2].strip()
    except OSError:
        return platform.processor() or platform.machine()
    return platform.processor() or platform.machine()


def _kilobytes(folder) -> int:
    return sum(path.stat().st_size for path in folder.iterdir() if path.is_file()) // 1024
