"""Every way in which the installed libraries do a work, and whether they do the same."""

from typing import Any

import numpy as np

from . import array_fused, jax_peer, numexpr_peer, numpy_peer, onnx_peer, torch_fused, torch_peer
from .work import Ways, Work

#: Roundings, at the scale of the largest value, that a peer's result may be off: what it computes is checked here and
#: not how accurately.
_ROUNDINGS = 4096

_ACTIVATIONS = (torch_peer, numpy_peer, numexpr_peer, jax_peer, onnx_peer)
_FUSED = (torch_fused, array_fused, onnx_peer)


def ways(work: Work) -> Ways:
    """All candidates but fastnn, by name."""
    found: Ways = {}
    for peer in _ACTIVATIONS if work.family == "activations" else _FUSED:
        found |= peer.ways(work)
    return found


def check(ways: Ways, work: Work, expected: Any) -> None:
    """Call every candidate once and compare with the arrays that fastnn gave.

    Raises
    ------
    AssertionError
        If a result is another, naming the candidate.
    """
    wanted = [array.copy() for array in arrays(expected)]
    for way, call in ways.items():
        found = arrays(call())
        if work.family == "dropout":
            _check_dropout(way, found[0], work.arrays["dy" if work.function.endswith("backward") else "x"])
            continue
        for a, e in zip(found, wanted, strict=True):
            assert (a.shape, a.dtype) == (e.shape, e.dtype), f"{way}: {a.dtype}{a.shape}, expected {e.dtype}{e.shape}"
            bound = _ROUNDINGS * np.finfo(e.dtype).eps * max(1, np.abs(e).max(initial=0))
            np.testing.assert_allclose(a, e, rtol=0, atol=bound, err_msg=way)


def _check_dropout(way: str, found: np.ndarray, x: np.ndarray) -> None:
    """Every element is dropped or doubled, and about half of them are dropped."""
    assert found.dtype == x.dtype, f"{way}: {found.dtype}, expected {x.dtype}"
    kept = found != 0
    np.testing.assert_array_equal(found[kept], 2 * x[kept], err_msg=way)
    assert abs(np.count_nonzero(kept) - x.size / 2) <= 3 * x.size**0.5, f"{way}: not half of the elements kept"


def arrays(result: Any) -> list[np.ndarray]:
    """The arrays and numbers of what a library returns; caches left out."""
    parts = result if isinstance(result, (tuple, list)) else (result,)
    parts = [part.detach() if hasattr(part, "detach") else part for part in parts]
    return [np.asarray(part) for part in parts if hasattr(part, "__array__")]
