"""A spaCy pipeline on compat.thinc trains to the losses that it has on thinc's own operations."""

import numpy as np
import pytest
import spacy
import thinc.api as thinc
from spacy.training import Example

import fastnn.compat.thinc as ours

WORDS = {"N": ["cat", "dog", "tree", "house"], "V": ["sees", "likes", "eats"], "D": ["the", "a"]}
ORDER = ["D", "N", "V", "D", "N"]


def examples(nlp, count=24):
    """Made-up sentences; those with a cat are about animals."""
    rng = np.random.default_rng(0)
    found = []
    for _ in range(count):
        words = [str(rng.choice(WORDS[tag])) for tag in ORDER]
        about = float("cat" in words)
        truth = {"tags": ORDER, "cats": {"ANIMAL": about, "OTHER": 1 - about}}
        found.append(Example.from_dict(spacy.tokens.Doc(nlp.vocab, words=words), truth))
    return found


def pipeline(ops):
    """A tagger and a text classifier whose models were made with these ops."""
    thinc.fix_random_seed(0)
    with thinc.use_ops(ops):
        nlp = spacy.blank("en")
        tok2vec = {"@architectures": "spacy.HashEmbedCNN.v2", "width": 32, "depth": 2, "embed_size": 100}
        tok2vec |= {"window_size": 1, "maxout_pieces": 3, "subword_features": True, "pretrained_vectors": None}
        tagger = {"@architectures": "spacy.Tagger.v2", "tok2vec": tok2vec}
        nlp.add_pipe("tagger", config={"model": tagger})
        nlp.add_pipe("textcat")
        data = examples(nlp)
        nlp.initialize(lambda: data)
    return nlp, data


def losses(nlp, data, optimizer, epochs=8):
    found = []
    for _ in range(epochs):
        for start in range(0, len(data), 8):
            now = nlp.update(data[start : start + 8], sgd=optimizer, drop=0.2)
            found.append([now["tagger"], now["textcat"]])
    return np.array(found)


@pytest.fixture
def calls(monkeypatch):
    """How often operations of FastnnOps are called."""
    found: dict[str, int] = {}

    def counted(name, real):
        def call(self, *arguments, **keywords):
            found[name] += 1
            return real(self, *arguments, **keywords)

        return call

    for name in ("maxout", "get_dropout_mask", "softmax"):
        found[name] = 0
        monkeypatch.setattr(ours.FastnnOps, name, counted(name, getattr(ours.FastnnOps, name)))
    return found


@pytest.mark.parametrize("way", ["use_ops", "accelerate"])
def test_a_pipeline_trains_to_the_same_losses(way, calls):
    settings = {"L2": 0.01, "grad_clip": 1.0}
    theirs, data = pipeline("numpy")
    expected = losses(theirs, data, thinc.Adam(0.005, **settings))
    assert not any(calls.values())
    nlp, data = pipeline("fastnn" if way == "use_ops" else "numpy")
    for name, pipe in nlp.pipeline:
        if way == "accelerate":
            ours.accelerate(pipe.model)
        found = {type(node.ops) for node in pipe.model.walk()}
        # a part of textcat is put on NumpyOps by spaCy
        assert found - {thinc.NumpyOps} == {ours.FastnnOps}
        assert (thinc.NumpyOps in found) == (way == "use_ops" and name == "textcat")
    found = losses(nlp, data, ours.Adam(0.005, **settings))
    assert all(calls.values()), calls
    assert (expected[-3:].mean(axis=0) < 0.5 * expected[:3].mean(axis=0)).all()
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-6)
    text = "the cat likes a tree"
    assert [token.tag_ for token in nlp(text)] == [token.tag_ for token in theirs(text)] == ORDER
    # what one has saved the other loads
    restored = pipeline("numpy")[0].from_bytes(nlp.to_bytes())
    assert restored(text).cats == pytest.approx(nlp(text).cats, abs=1e-5)


def test_ops_and_optimiser_from_a_config():
    """As `spacy train` with --code: a callback sets the ops before the pipeline is made."""

    @spacy.registry.callbacks("fastnn_ops.test")
    def fastnn_ops():
        def set_ops(language):
            thinc.set_current_ops(ours.FastnnOps())
            return language

        return set_ops

    before = thinc.get_current_ops()
    try:
        nlp = spacy.blank(
            "en",
            config={
                "nlp": {"before_creation": {"@callbacks": "fastnn_ops.test"}},
                "training": {"optimizer": {"@optimizers": "fastnn.Adam.v1", "learn_rate": 0.002}},
            },
        )
        tagger = nlp.add_pipe("tagger")
    finally:
        thinc.set_current_ops(before)
    assert type(tagger.model.ops) is ours.FastnnOps
    optimizer = spacy.registry.resolve(nlp.config["training"], validate=False)["optimizer"]
    assert type(optimizer) is ours.Optimizer
