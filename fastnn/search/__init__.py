"""The search for hyperparameters: spaces, grids, random draws, coarse to fine, and cross-validation.

A space is a dict from names to what each may be: a list of choices, or a range:

    space = {"lr": loguniform(1e-5, 1e-1), "dropout": uniform(0, 0.6), "units": [64, 128, 256]}
    results = [(params, validation_accuracy(**params)) for params in random(space, 30, rng=0)]
    finer = refine(results, space)

Random draws find more than a grid of the same size where only some of the hyperparameters matter (Bergstra & Bengio
2012). Learning rates and strengths of regularisation act by their order of magnitude: search them in `loguniform`.
"""

from .cross_validation import CrossValidation, cross_validate
from .distributions import Distribution, integers, logintegers, loguniform, uniform
from .refinement import SearchWarning, refine
from .spaces import Space as Space
from .spaces import grid, random, suggest

__all__ = [
    "CrossValidation",
    "Distribution",
    "SearchWarning",
    "cross_validate",
    "grid",
    "integers",
    "logintegers",
    "loguniform",
    "random",
    "refine",
    "suggest",
    "uniform",
]
