"""compat.thinc's layer norm and optimisers against thinc's, alone and in models that train."""

import copy
import inspect
import pickle

import numpy as np
import pytest
import thinc.api as thinc
from thinc.optimizers import Optimizer as TheirOptimizer
from ulps import same_bits

import fastnn.compat.thinc as ours
from fastnn.compat.thinc import layers

SHAPES = [(7,), (5, 3), (1000,), (40, 50), (1, 1), (3, 4, 5)]


# --- layer norm ---


def norms(x, seed=0):
    """thinc's layer norm and ours with the same parameters."""
    rng = np.random.default_rng(seed)
    pair = [make().initialize(X=x) for make in (thinc.LayerNorm, ours.LayerNorm)]
    for name in ("G", "b"):
        value = rng.standard_normal(x.shape[1]).astype("f4")
        for model in pair:
            model.set_param(name, value.copy())
    return pair


@pytest.mark.parametrize("shape", [(1, 3), (9, 1), (17, 96), (256, 768)])
@pytest.mark.parametrize("layout", [np.ascontiguousarray, np.asfortranarray])
def test_layer_norm(layout, shape):
    rng = np.random.default_rng(1)
    x = layout((rng.standard_normal(shape) * 3 + 1).astype("f4"))
    dy = layout(rng.standard_normal(shape).astype("f4"))
    results = []
    for model in norms(x):
        y, backprop = model(x, is_train=True)
        dx = backprop(dy)
        assert y.dtype == dx.dtype == np.float32
        results.append([y, dx, model.get_grad("G"), model.get_grad("b")])
    if shape[1] == 1:  # the variance is 0: thinc's dx is what is left of a difference, times 1e4
        results = [each[:1] + each[2:] for each in results]
    for expected, result in zip(*results, strict=True):
        np.testing.assert_allclose(result, expected, rtol=1e-5, atol=2e-5)


def test_layer_norm_of_no_rows():
    """What a batch of empty documents gives."""
    x = np.zeros((0, 4), "f4")
    for model in norms(x):
        y, backprop = model(x, is_train=True)
        assert y.shape == backprop(x).shape == (0, 4)
        assert not model.get_grad("G").any()


def test_layer_norm_of_a_constant_row():
    x = np.full((2, 4), 7.0, "f4")
    for model in norms(x):
        np.testing.assert_allclose(model.predict(x), np.tile(model.get_param("b"), (2, 1)), rtol=1e-6)


def test_layer_norm_gradients_add_up():
    x = np.random.default_rng(2).standard_normal((6, 5)).astype("f4")
    _, model = norms(x)
    _, backprop = model.begin_update(x)
    backprop(np.ones_like(x))
    once = model.get_grad("b").copy()
    backprop(np.ones_like(x))
    np.testing.assert_array_equal(model.get_grad("b"), 2 * once)


def test_layer_norm_is_saved_as_thincs():
    x = np.random.default_rng(3).standard_normal((6, 5)).astype("f4")
    theirs, mine = norms(x)
    assert mine.to_bytes()[:4] == theirs.to_bytes()[:4]
    for source, target in ((theirs, ours.LayerNorm(5)), (mine, thinc.LayerNorm(5))):
        loaded = target.initialize().from_bytes(source.to_bytes())
        np.testing.assert_allclose(loaded.predict(x), source.predict(x), rtol=1e-6, atol=1e-6)
        assert loaded.name == source.name
        assert loaded.dim_names == source.dim_names


def test_layer_norm_takes_its_width_from_either_side():
    rows = np.zeros((2, 4), "f4")
    for keywords in ({"X": rows}, {"Y": rows}):
        model = ours.LayerNorm().initialize(**keywords)
        assert model.get_dim("nI") == model.get_dim("nO") == 4
    assert thinc.registry.layers.get("fastnn.LayerNorm.v1") is ours.LayerNorm


def test_accelerate():
    x = np.random.default_rng(4).standard_normal((8, 6)).astype("f4")
    thinc.fix_random_seed(0)
    model = thinc.chain(thinc.Maxout(6, 6, normalize=True), thinc.LayerNorm(), thinc.Mish(6, 6)).initialize(X=x)
    expected, ids = model.predict(x), [node.id for node in model.walk()]
    ops = ours.FastnnOps(philox_dropout=True)
    assert ours.accelerate(model, ops) is model
    assert all(node.ops is ops for node in model.walk())
    assert [node._func for node in model.walk() if node.name == "layernorm"] == [layers._forward] * 2
    assert [node.id for node in model.walk()] == ids
    np.testing.assert_allclose(model.predict(x), expected, rtol=1e-5, atol=1e-6)


def test_accelerate_leaves_other_devices_alone():
    class ElsewhereOps(thinc.Ops):
        name = "elsewhere"

    node = thinc.Model("elsewhere", lambda model, X, is_train: (X, lambda dY: dY), ops=ElsewhereOps())
    model = ours.accelerate(thinc.chain(node, thinc.Relu(2, 2)))
    assert [type(each.ops).__name__ for each in model.walk()] == ["FastnnOps", "ElsewhereOps", "FastnnOps"]


# --- optimisers ---

OPTIONS = [
    {},
    {"L2": 0.01},
    {"L2": 0.01, "L2_is_weight_decay": False},
    {"grad_clip": 0.0},
    {"grad_clip": 0.3, "use_averages": False},
    {"learn_rate": 1, "L2": 1, "grad_clip": 1},
    {"learn_rate": list(np.float32([0.02, 0.01])), "L2": list(np.float64([0.1, 0.2])), "grad_clip": [np.float32(0.5)]},
    {"learn_rate": [0.02, 0.03, 0.001], "L2": [0.1, 0.0, 0.2], "grad_clip": [1.0, 0.0]},
]


def pair_of(name, learn_rate=0.01, **options):
    """thinc's optimiser and ours."""
    return [getattr(module, name)(learn_rate, **options) for module in (thinc, ours)]


def steps(optimizers, count=60, shapes=SHAPES, lr_scale=1.0, seed=0):
    """Take steps with every optimizer from the same weights along the same gradients; all the weights."""
    rng = np.random.default_rng(seed)
    first = [rng.standard_normal(shape).astype("f4") for shape in shapes]
    weights = [[w.copy() for w in first] for _ in optimizers]
    for _ in range(count):
        for k, shape in enumerate(shapes):
            # about as often above the clipping threshold as below
            gradient = (rng.standard_normal(shape) * (0.02 if k % 2 else 1)).astype("f4")
            for optimizer, own in zip(optimizers, weights, strict=True):
                own[k], cleared = optimizer((k, "W"), own[k], gradient.copy(), lr_scale=lr_scale)
                assert not cleared.any()
        for optimizer in optimizers:
            optimizer.step_schedules()
    return weights


def assert_same_state(theirs, mine):
    for table in ("mom1", "mom2", "averages"):
        expected, found = getattr(theirs, table), getattr(mine, table)
        assert (expected is None) == (found is None)
        for key in expected or {}:
            assert found[key].shape == expected[key].shape
            np.testing.assert_allclose(found[key], expected[key], rtol=6e-6, atol=5e-7)
        assert (expected or {}).keys() == (found or {}).keys()
    assert theirs.nr_update == mine.nr_update


@pytest.fixture
def never_thincs(monkeypatch):
    """thinc's own step fails: whatever is done, the kernels do."""
    real = TheirOptimizer.__call__

    def step(self, *arguments, **keywords):
        assert type(self) is TheirOptimizer, "left to thinc"
        return real(self, *arguments, **keywords)

    monkeypatch.setattr(TheirOptimizer, "__call__", step)


@pytest.mark.usefixtures("never_thincs")
@pytest.mark.parametrize("options", OPTIONS, ids=lambda options: "-".join(options) or "default")
@pytest.mark.parametrize("name", ["Adam", "RAdam", "SGD"])
def test_many_steps(name, options):
    optimizers = pair_of(name, **options)
    expected, found = steps(optimizers)
    for ours_now, theirs_now in zip(found, expected, strict=True):
        np.testing.assert_allclose(ours_now, theirs_now, rtol=0, atol=1e-6)
    assert_same_state(*optimizers)


@pytest.mark.usefixtures("never_thincs")
@pytest.mark.parametrize("lr_scale", [0.3, np.float32(0.25), 2])
@pytest.mark.parametrize("name", ["Adam", "RAdam", "SGD"])
def test_lr_scale(name, lr_scale):
    optimizers = pair_of(name, L2=0.1)
    expected, found = steps(optimizers, count=9, lr_scale=lr_scale)
    for ours_now, theirs_now in zip(found, expected, strict=True):
        np.testing.assert_allclose(ours_now, theirs_now, rtol=0, atol=1e-6)


@pytest.mark.usefixtures("never_thincs")
def test_late_steps():
    """Where the decay of the averages has reached its limit, and bias corrections are 1."""
    optimizers = pair_of("Adam", L2=1e-3)
    for optimizer in optimizers:
        for k in range(len(SHAPES)):
            optimizer.nr_update[(k, "W")] = 200_000
    expected, found = steps(optimizers, count=30)
    np.testing.assert_allclose(found[3], expected[3], rtol=0, atol=1e-6)
    np.testing.assert_allclose(optimizers[1].averages[(3, "W")], optimizers[0].averages[(3, "W")], rtol=1e-5)


def test_thincs_schedules():
    """Generators up to thinc 8, objects from thinc 9 on."""
    made = [module.Adam(thinc.warmup_linear(0.1, 5, 30), beta2=0.99, eps=1e-3) for module in (thinc, ours)]
    expected, found = steps(made, count=20)
    np.testing.assert_allclose(found[3], expected[3], rtol=0, atol=2e-6)
    moved = [module.Adam(0.1, beta2=0.99, eps=1e-3) for module in (thinc, ours)]
    assert abs(steps(moved, count=20)[0][3] - expected[3]).max() > 0.1  # so the schedule mattered


def _assert_same_arguments(theirs, mine):
    given = [
        {p.name: (p.kind, p.default) for p in inspect.signature(function).parameters.values()}
        for function in (theirs, mine)
    ]
    assert given[0] == given[1]


@pytest.mark.parametrize("name", ["Adam", "RAdam", "SGD"])
def test_arguments_and_registration(name):
    theirs, mine = (getattr(module, name) for module in (thinc, ours))
    _assert_same_arguments(theirs, mine)
    _assert_same_arguments(TheirOptimizer, ours.Optimizer)
    assert thinc.registry.optimizers.get(f"fastnn.{name}.v1") is mine
    config = {"optimizer": {"@optimizers": f"fastnn.{name}.v1", "learn_rate": 0.5}}
    assert type(thinc.registry.resolve(config)["optimizer"]) is ours.Optimizer


def test_betas_that_become_0_turn_adam_into_sgd():
    optimizers = [module.Adam(0.01, beta1=[0.9, 0.9, 0.0], beta2=[0.99, 0.99, 0.0]) for module in (thinc, ours)]
    expected, found = steps(optimizers, count=6)
    np.testing.assert_allclose(found[3], expected[3], rtol=0, atol=1e-6)


def test_beta1_of_0_alone_is_nothing_that_thinc_has():
    for optimizer in (thinc.Adam(0.01, beta1=0.0), ours.Adam(0.01, beta1=0.0)):
        with pytest.raises(NotImplementedError):
            optimizer((0, "W"), np.ones(3, "f4"), np.ones(3, "f4"))


LAYOUTS = {
    "transposed weights": (lambda w: w.T, lambda g: g.T),
    "transposed gradient": (lambda w: w, lambda g: g.T.copy().T),
    "strided weights": (lambda w: np.repeat(w, 2, axis=1)[:, ::2], lambda g: g),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts_are_left_to_thinc(layout):
    of_weights, of_gradient = LAYOUTS[layout]
    rng = np.random.default_rng(5)
    start, gradient = (rng.standard_normal((6, 4)).astype("f4") for _ in range(2))
    results = []
    for optimizer in pair_of("Adam", L2=0.01):
        weights = of_weights(start.copy())
        for _ in range(3):
            weights, _ = optimizer((0, "W"), weights, of_gradient(gradient.copy()))
        results.append(weights)
    assert same_bits(*results)


def test_float64_is_left_to_thinc():
    weights, gradient = np.ones(3), np.full(3, 0.5)
    results = [optimizer((0, "W"), weights.copy(), gradient.copy())[0] for optimizer in pair_of("SGD")]
    assert same_bits(*results)
    for optimizer in pair_of("Adam"):
        with pytest.raises(ValueError, match="mismatch"):
            optimizer((0, "W"), weights.copy(), gradient.copy())


def test_gradients_of_another_shape():
    for optimizer in pair_of("Adam"):
        with pytest.raises(ValueError, match="shape"):
            optimizer((0, "W"), np.ones(3, "f4"), np.ones(4, "f4"))


def test_empty_parameters_and_zero_gradients():
    for optimizer in pair_of("Adam"):
        empty = np.zeros((0, 3), "f4")
        assert optimizer((0, "W"), empty, empty.copy())[0] is empty
        weights, _ = optimizer((1, "W"), np.ones(3, "f4"), np.zeros(3, "f4"))
        np.testing.assert_array_equal(weights, 1)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_gradient_that_is_not_finite(value):
    """Clipped as thinc clips it: NaN stays where it is, an infinite norm sets all else to 0."""
    results = []
    for optimizer in pair_of("Adam"):
        weights = np.ones(4, "f4")
        with np.errstate(invalid="ignore"):
            results.append(optimizer((0, "W"), weights, np.array([3, value, -1, 0], "f4"))[0])
    np.testing.assert_allclose(results[1], results[0], rtol=1e-6)
    assert np.isnan(results[1]).sum() == 1


def test_weights_that_are_replaced_are_followed():
    optimizers = pair_of("Adam")
    weights = [np.ones(5, "f4"), np.ones(5, "f4")]
    for turn in range(6):
        for k, optimizer in enumerate(optimizers):
            if turn % 2:
                weights[k] = weights[k] * 2
            if turn == 3:
                optimizer.mom1[(0, "W")] = np.full(5, 0.1, "f4")
            weights[k], _ = optimizer((0, "W"), weights[k], np.full(5, 0.3 * (-1) ** turn, "f4"))
    np.testing.assert_allclose(weights[1], weights[0], rtol=1e-6)
    assert_same_state(*optimizers)


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda o: pickle.loads(pickle.dumps(o))])
def test_copies_go_on_by_themselves(copied):
    optimizer = ours.Adam(0.01)
    steps([optimizer], count=5)
    before = {key: value.copy() for key, value in optimizer.mom1.items()}
    other = copied(optimizer)
    for key, value in before.items():
        np.testing.assert_array_equal(other.mom1[key], value)
    expected = steps([copied(optimizer)], count=5)[0]
    for key, value in before.items():  # the copies have arrays of their own
        np.testing.assert_array_equal(optimizer.mom1[key], value)
    for found, wanted in zip(steps([other], count=5)[0], expected, strict=True):
        assert same_bits(found, wanted)


# --- models ---


def network(layer_norm, width=24, classes=4):
    return thinc.chain(
        thinc.Relu(width),
        layer_norm(),
        thinc.Mish(width, dropout=0.1),
        thinc.Maxout(width, nP=3, normalize=True, dropout=0.1),
        thinc.Gelu(width),
        thinc.Swish(width),
        thinc.HardSwish(width),
        thinc.Dropout(0.1),
        thinc.Softmax(classes),
    )


def trained(ops, layer_norm, optimizer, epochs=25):
    """Losses of a network on blobs."""
    thinc.fix_random_seed(1)
    rng = np.random.default_rng(6)
    labels = rng.integers(0, 4, 120)
    x = (rng.standard_normal((120, 10)) + 2 * np.eye(4, 10)[labels]).astype("f4")
    truth, losses = np.eye(4, dtype="f4")[labels], []
    with thinc.use_ops(ops):
        model = network(layer_norm).initialize(X=x, Y=truth)
    assert {node.ops.name for node in model.walk()} == {ops}
    for _ in range(epochs):
        for rows in (slice(60), slice(60, 120)):
            y, backprop = model.begin_update(x[rows])
            losses.append(float(((y - truth[rows]) ** 2).sum()))
            backprop(y - truth[rows])
            model.finish_update(optimizer)
            optimizer.step_schedules()
    return losses


RATES = {"Adam": 0.003, "RAdam": 0.05, "SGD": 0.05}


@pytest.mark.parametrize("name", RATES)
def test_a_model_trains_to_the_same_losses(name):
    theirs, mine = pair_of(name, RATES[name], L2=1e-3)
    expected = trained("numpy", thinc.LayerNorm, theirs)
    found = trained("fastnn", ours.LayerNorm, mine)
    assert expected[-1] < 0.5 * expected[0]
    np.testing.assert_allclose(found, expected, rtol=1e-5)
