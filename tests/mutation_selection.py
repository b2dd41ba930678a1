"""Which files have kernels, and which tests have to notice when one of those is wrong: as few and quick as will do."""

import ast
from collections.abc import Iterator
from functools import cache
from typing import NamedTuple

from mutation_points import ROOT, Mutant, defined

#: Stands for the public functions and classes that the broken place is a part of.
NAMES = "NAMES"


class Selection(NamedTuple):
    """Files under tests/, those that fail soonest first, and what pytest's -k is to pick from them."""

    files: tuple[str, ...]
    keyword: str = ""


_NORMS = ("test_layer_norm", "test_batch_norm", "test_group_norm")
_LINES = ("test_losses", "test_softmax")
_LOSS = ("test_elementwise_losses",)
_DROPOUT = ("test_dropout_masks", "test_dropout")
_OPTIM = ("test_optim", "test_optim_options", "test_optim_layouts", "test_clip")
#: Of what is tested for every rule, two rules that have all there is: a state, and norms of each parameter.
_TWO_RULES = "not all_options and not every_rule or LAMB or SGD"
#: Drawn cases compile the kernels for every dtype, activation and layout before the first fails: they come later.
_NOT_DRAWN, _DRAWN = "not the_reference", "the_reference"

#: Source files, relative to fastnn/, in the order in which the table lists them.
SELECTIONS = {
    "_engine/exponentials.py": Selection(_LINES, _NOT_DRAWN),
    "_engine/line_passes.py": Selection(_LINES, _NOT_DRAWN),
    "_engine/lines.py": Selection(_LINES, _NOT_DRAWN),
    "_engine/philox.py": Selection(("test_random_bits", "test_dropout_masks")),
    "_engine/simd_math/error_function.py": Selection(("test_simd_math",), "erf or normal or gelu"),
    "_engine/simd_math/exponential.py": Selection(("test_simd_math",), "exp or sigmoid or softplus or tanh or normal"),
    "_engine/simd_math/gelu.py": Selection(("test_simd_math",), "gelu or limits"),
    "_engine/simd_math/logarithm.py": Selection(("test_simd_math",), "log"),
    "_engine/simd_math/reciprocal_root.py": Selection(("test_simd_math",), "rsqrt or limits"),
    "_engine/simd_math/sigmoidal.py": Selection(("test_simd_math",), "sigmoid or softplus or tanh"),
    "_engine/simd_math/trigonometric.py": Selection(("test_simd_math",), "sin or cos or limits"),
    "activations/_softmax_lines.py": Selection(("test_softmax",), f"not glu and {_NOT_DRAWN}"),
    "activations/exponential.py": Selection(("test_activations",), "gelu or mish or softplus or elu or softsign"),
    "activations/gated.py": Selection(("test_softmax", "test_activations"), "glu or maxout or bias_activation"),
    "activations/parametric.py": Selection(("test_activations",), "prelu or rrelu"),
    "activations/rectified.py": Selection(("test_activations",), NAMES),
    "activations/shrink.py": Selection(("test_activations",), NAMES),
    "activations/sigmoidal.py": Selection(("test_activations",), NAMES),
    "activations/smooth.py": Selection(("test_activations",), NAMES),
    "activations/softmax_family.py": Selection(("test_softmax",), f"not glu and {_NOT_DRAWN}"),
    "dropout/_drawing.py": Selection(_DROPOUT),
    "dropout/_kernels.py": Selection(_DROPOUT),
    "losses/_class_lines.py": Selection(("test_losses",), _NOT_DRAWN),
    "losses/_elementwise.py": Selection(_LOSS),
    "losses/_labels.py": Selection(("test_losses",), _NOT_DRAWN),
    "losses/_logistic.py": Selection(_LOSS, "binary or focal or hinge or known or limits or weight"),
    "losses/binary.py": Selection(_LOSS, "binary or focal or hinge or known or limits or weight"),
    "losses/classes.py": Selection(("test_losses",), _NOT_DRAWN),
    "losses/penalties.py": Selection(("test_penalties",)),
    "losses/regression.py": Selection(_LOSS, f"{NAMES} or known or limits"),
    "monitor/_tensor_stats.py": Selection(("test_tensor_stats",)),
    "normalization/_columns.py": Selection(("test_batch_norm",), _NOT_DRAWN),
    "normalization/_passes.py": Selection(_NORMS, _NOT_DRAWN),
    "normalization/_plans.py": Selection(("test_batch_norm", "test_synchronized_batch_norm"), _NOT_DRAWN),
    "normalization/_rows.py": Selection(("test_layer_norm",), _NOT_DRAWN),
    "normalization/_runs.py": Selection(("test_group_norm", "test_batch_norm"), _NOT_DRAWN),
    "normalization/_statistics.py": Selection(_NORMS, _NOT_DRAWN),
    "normalization/batch.py": Selection(("test_batch_norm", "test_synchronized_batch_norm"), _NOT_DRAWN),
    "normalization/group.py": Selection(("test_group_norm",), _NOT_DRAWN),
    "normalization/layer.py": Selection(("test_layer_norm",), _NOT_DRAWN),
    "optim/_averages.py": Selection(("test_optim", "test_optim_rules"), "adam or average"),
    "optim/_factored.py": Selection(("test_optim_rules", "test_optim_options", "test_optim_layouts"), "Adafactor"),
    "optim/_kernels.py": Selection(_OPTIM, _TWO_RULES),
    "optim/_norm.py": Selection(("test_clip", "test_optim_options")),
    "optim/rules/adam.py": Selection(("test_optim", "test_optim_rules", "test_optim_options"), NAMES),
    "optim/rules/adam_variants.py": Selection(("test_optim", "test_optim_rules", "test_optim_functions"), NAMES),
    "optim/rules/adaptive.py": Selection(("test_optim", "test_optim_rules", "test_optim_options"), NAMES),
    "optim/rules/factored.py": Selection(("test_optim", "test_optim_rules", "test_optim_options"), NAMES),
    "optim/rules/layerwise.py": Selection(("test_optim", "test_optim_rules", "test_optim_options"), NAMES),
    "optim/rules/momentum.py": Selection(("test_optim", "test_optim_rules", "test_optim_options"), NAMES),
    "optim/rules/scales.py": Selection(("test_optim", "test_optim_rules", "test_optim_options"), NAMES),
    "preprocess/_affine.py": Selection(("test_preprocess",)),
    "preprocess/images.py": Selection(("test_to_float",)),
}
FILES = [f"fastnn/{name}" for name in SELECTIONS]


def runs(mutant: Mutant) -> list[tuple[str, ...]]:
    """The arguments of pytest for a mutant: once, or once more for what takes long."""
    users = _users(mutant.file)
    return _runs(mutant.file, {name for own in mutant.scope for name in users[own]})


def all_runs(file: str) -> list[tuple[str, ...]]:
    """Those for any mutant of a file."""
    return _runs(file, set().union(*_users(file).values()))


def _runs(file: str, names: set[str]) -> list[tuple[str, ...]]:
    files, keyword = SELECTIONS[file.removeprefix("fastnn/")]
    paths = tuple(f"tests/{name}.py" for name in files)
    if not keyword:
        return [paths]
    keyword = keyword.replace(NAMES, " or ".join(_shortest(names))).removeprefix(" or ")
    keywords = [keyword, keyword.replace(_NOT_DRAWN, _DRAWN)] if _NOT_DRAWN in keyword else [keyword]
    return [(*paths, "-k", keyword) for keyword in keywords]


@cache
def _users(file: str) -> dict[str, set[str]]:
    """For each name that a module defines the public functions and classes whose definitions lead to it."""
    statements = ast.parse((ROOT / file).read_text(encoding="utf-8")).body
    public = {s.name for s in statements if isinstance(s, (ast.FunctionDef, ast.ClassDef)) and s.name[0] != "_"}
    uses: dict[str, set[str]] = {}
    for statement in statements:
        for name in defined(statement):
            uses.setdefault(name, set()).update(_mentioned(statement))
    users = {name: {name} & public for name in uses}
    for _ in uses:  # as many times as the longest chain could have links
        for name, mentioned in uses.items():
            for used in mentioned & set(users):
                users[used] |= users[name]
    return users


def _mentioned(statement: ast.stmt) -> Iterator[str]:
    return (node.id for node in ast.walk(statement) if isinstance(node, ast.Name))


def _shortest(names: set[str]) -> list[str]:
    """As -k takes them and tests are called, without those that have another in them: -k finds these by that."""
    names = {name.lower().removesuffix("_update") for name in names}
    return sorted(name for name in names if not any(other in name for other in names - {name}))
