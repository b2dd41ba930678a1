"""What a compat module says when its peer is missing, too old or too new."""

import importlib.metadata
import re
from pathlib import Path

import pytest

from fastnn.compat import _peers

_PYPROJECT = Path(__file__).parents[1] / "pyproject.toml"


@pytest.mark.parametrize("extra", _peers.PEERS)
def test_extra_installs_the_versions_that_work(extra):
    peer = _peers.PEERS[extra]
    declared = re.search(rf'^{extra} = \["([\w-]+)(?:\[[\w,]+\])?(.*)"\]$', _PYPROJECT.read_text(), re.M)
    assert declared, f"pyproject.toml has no extra {extra}"
    assert (declared[1], declared[2]) == (peer.distribution, f">={peer.first},<{peer.end}")


@pytest.mark.parametrize("extra", _peers.PEERS)
def test_missing_peer_names_the_extra(extra, monkeypatch):
    def absent(distribution):
        raise importlib.metadata.PackageNotFoundError(distribution)

    monkeypatch.setattr(importlib.metadata, "version", absent)
    name = _peers.PEERS[extra].distribution
    with pytest.raises(ImportError, match=rf'{name} is not installed; get it with: pip install "fastnn\[{extra}\]"'):
        _peers.require("math", extra)


@pytest.mark.parametrize(
    ("version", "works"),
    [("1.4.2", False), ("1.5", True), ("1.5.0rc1", True), ("1.10.3", True), ("2.0.0.dev0", False), ("unknown", False)],
)
def test_versions_that_work(version, works, monkeypatch):
    monkeypatch.setattr(importlib.metadata, "version", lambda distribution: version)
    if works:
        assert _peers.require("math", "sklearn").pi > 3
    else:
        with pytest.raises(ImportError, match=rf'scikit-learn {version} is installed.*"scikit-learn>=1\.5,<2"'):
            _peers.require("math", "sklearn")
