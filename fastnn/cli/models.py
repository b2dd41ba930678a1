"""Models and checkpoints as .npz files: arrays, numbers and one text of settings; never a pickle."""

import contextlib
import json
import os
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from .errors import UNREADABLE, CommandError
from .network import NORMS, Network, Settings, activations
from .preparation import Preparation


def write_whole(path: Path, content: bytes) -> None:
    """A file appears with all of its content, or not at all."""
    aside = ""
    try:
        descriptor, aside = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(content)
        os.chmod(aside, 0o644)
        os.replace(aside, path)
    except OSError as error:
        raise CommandError(f"{path}: cannot be written ({error.strerror})") from None
    finally:  # also after a Ctrl-C; in place of the file there is nothing left to remove
        if aside:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(aside)


def check_place(option: str, path: Path) -> None:
    """Before the work: a place that no file can be written to."""
    if path.is_dir():
        raise CommandError(f"{option} {path}: cannot be written (it is a folder)")
    if not (path.parent.is_dir() and os.access(path.parent, os.W_OK)):
        raise CommandError(f"{option} {path}: cannot be written (nothing can be put in {path.parent})")


def save(path: Path, network: Network, preparation: Preparation, **more: Any) -> None:
    """Write a model; `more` are further arrays and numbers."""
    import io

    memory = io.BytesIO()
    np.savez(memory, **model_arrays(network, preparation), **more)
    write_whole(path, memory.getvalue())


def model_arrays(network: Network, preparation: Preparation) -> dict[str, Any]:
    """Everything that `predict` needs."""
    arrays: dict[str, Any] = {"settings": np.array(json.dumps(asdict(network.settings)))}
    for k, layer in enumerate(network.params):
        arrays |= {f"param.{k}.{name}": array for name, array in layer.items()}
    arrays |= {f"running.{k}": array for k, array in enumerate(network.running)}
    return arrays | {f"preparation.{name}": array for name, array in preparation.arrays().items()}


def load(path: Path) -> dict[str, Any]:
    """All entries of a model file."""
    if not path.is_file():
        raise CommandError(f"{path}: no such file")
    try:
        with path.open("rb") as stream:
            file = np.load(stream, allow_pickle=False)
            entries = dict(file) if isinstance(file, np.lib.npyio.NpzFile) else {}
    except UNREADABLE as error:
        raise CommandError(f"{path}: not a readable model ({' '.join(str(error).split())})") from None
    if "settings" not in entries:
        raise CommandError(f"{path}: holds no model of fastnn train")
    return entries


def restored(path: Path, entries: dict[str, Any]) -> tuple[Network, Preparation]:
    """The network and the preparation that `save` wrote."""
    try:
        known = json.loads(str(entries["settings"]))
        settings = Settings(**{**known, "sizes": tuple(known["sizes"])})
        if settings.activation not in activations() or settings.norm not in NORMS:
            raise ValueError(f"activation {settings.activation} or norm {settings.norm} is unknown")
        network = Network(settings, np.random.default_rng(0))
        put(network, entries)
        own = {name.removeprefix("preparation."): entries[name] for name in entries if name.startswith("preparation.")}
        pixels = settings.sizes[0]
        if own["mean"].shape != (pixels,) or own.get("matrix", own["mean"]).shape not in ((pixels,), (pixels, pixels)):
            raise ValueError(f"its preparation is not of {pixels} pixels")
        return network, Preparation.of_arrays(own)
    except (AttributeError, KeyError, MemoryError, TypeError, ValueError) as error:
        raise CommandError(f"{path}: a damaged model ({error})") from None


def put(network: Network, entries: dict[str, Any]) -> None:
    """Fill a network with a file's weights."""
    arrays = {f"param.{k}.{name}": array for k, layer in enumerate(network.params) for name, array in layer.items()}
    arrays |= {f"running.{k}": array for k, array in enumerate(network.running)}
    for name, array in arrays.items():
        if entries[name].shape != array.shape:
            raise ValueError(f"{name} has shape {entries[name].shape}, expected {array.shape}")
    for name, array in arrays.items():
        array[...] = entries[name]
