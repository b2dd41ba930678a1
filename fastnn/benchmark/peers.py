"""Every way in which the installed libraries do a work, and whether they do the same."""

from typing import Any

import numpy as np

from . import jax_peer, numexpr_peer, numpy_peer, onnx_peer, torch_peer
from .work import Ways, Work

#: Roundings, at the scale of the largest value, that a peer's result may be off: what it computes is checked here and
#: not how accurately.
_ROUNDINGS = 4096

_PEERS = (torch_peer, numpy_peer, numexpr_peer, jax_peer, onnx_peer)


def ways(work: Work) -> Ways:
    """All candidates but fastnn, by name."""
    found: Ways = {}
    for peer in _PEERS:
        found |= peer.ways(work)
    return found


def check(ways: Ways, expected: Any) -> None:
    """Call every candidate once and compare.

    Raises
    ------
    AssertionError
        If a result is another, naming the candidate.
    """
    expected = [array.copy() for array in arrays(expected)]
    for way, call in ways.items():
        found = arrays(call())
        for a, e in zip(found, expected, strict=True):
            assert (a.shape, a.dtype) == (e.shape, e.dtype), f"{way}: {a.dtype}{a.shape} for {e.dtype}{e.shape}"
            bound = _ROUNDINGS * np.finfo(e.dtype).eps * max(1, np.abs(e).max(initial=0))
            np.testing.assert_allclose(a, e, rtol=0, atol=bound, err_msg=way)


def arrays(result: Any) -> list[np.ndarray]:
    """The arrays and numbers of what a library returns; caches left out."""
    parts = result if isinstance(result, (tuple, list)) else (result,)
    parts = [part.detach() if hasattr(part, "detach") else part for part in parts]
    return [np.asarray(part) for part in parts if hasattr(part, "dtype")]
