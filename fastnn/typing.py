"""Types for annotations: what fastnn's functions take and what they are.

Nothing here matters when a program runs. `Elementwise` and `Gradient` describe the functions of fastnn.activations and
those that `fastnn.elementwise` makes, with the parameters P of their formulas.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Generic, Literal, ParamSpec, Protocol, TypeAlias, TypedDict, TypeVar, overload

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

if TYPE_CHECKING:
    from numpy import ufunc as _Base
    from typing_extensions import Unpack
else:

    class _Base:
        """Stands for numpy.ufunc, which nothing can be derived from when a program runs."""


__all__ = ["ActivationLike", "ArrayTree", "Elementwise", "Gradient", "Out", "Reduction", "Rng"]

#: What `activation=` takes: a name, a function, or either with its first parameter.
ActivationLike: TypeAlias = str | Callable[..., Any] | tuple[str | Callable[..., Any], float]
#: Parameters, or gradients, of a model: an array, or arrays in lists, tuples and dicts. None: no gradient.
ArrayTree: TypeAlias = np.ndarray | Sequence["ArrayTree"] | Mapping[Any, "ArrayTree"] | None
#: How a loss is brought down to one number.
Reduction: TypeAlias = Literal["mean", "sum", "none"]
#: A source of randomness: fresh, a seed, or a generator that moves on.
Rng: TypeAlias = int | np.integer[Any] | np.random.Generator | None
#: Where a result is to be written.
Out: TypeAlias = np.ndarray | tuple[np.ndarray] | None

P = ParamSpec("P")
_Floats = TypeVar("_Floats", bound="NDArray[np.floating[Any]]")
_Float = TypeVar("_Float", bound="np.floating[Any]")
_Out = TypeVar("_Out", bound="NDArray[Any]")


class _Overriding(Protocol):
    """Arrays of other libraries (Dask, xarray, pandas): the result is one of them too."""

    def __array_ufunc__(self, ufunc: Any, method: Any, /, *inputs: Any, **kwargs: Any) -> Any: ...


_Other = TypeVar("_Other", bound=_Overriding)


_Integers: TypeAlias = "NDArray[np.integer[Any]] | NDArray[np.bool_]"


class _Keywords(TypedDict, total=False):
    """Of every ufunc, beside out, where and dtype."""

    casting: Literal["no", "equiv", "safe", "same_kind", "unsafe"]
    order: Literal["K", "A", "C", "F"]
    subok: bool


class Elementwise(_Base, Generic[P]):  # type: ignore[misc]
    """y = f(x, parameters): a ufunc, or, if parameters have defaults, a plain function over one."""

    @overload
    def __call__(self, x: _Floats, /, *parameters: P.args, **named: P.kwargs) -> _Floats: ...
    @overload
    def __call__(self, x: _Integers, /, *parameters: P.args, **named: P.kwargs) -> NDArray[np.floating[Any]]: ...
    @overload
    def __call__(self, x: _Float, /, *parameters: P.args, **named: P.kwargs) -> _Float: ...
    @overload
    def __call__(self, x: float, /, *parameters: P.args, **named: P.kwargs) -> np.float64: ...
    @overload
    def __call__(self, x: _Other, /, *parameters: P.args, **named: P.kwargs) -> _Other: ...
    @overload
    def __call__(self, x: ArrayLike, /, *parameters: P.args, **named: P.kwargs) -> NDArray[np.floating[Any]]: ...
    @overload
    def __call__(
        self,
        x: Any,
        /,
        *parameters: ArrayLike,
        out: _Out | tuple[_Out],
        where: ArrayLike = ...,
        dtype: DTypeLike = ...,
        **keywords: Unpack[_Keywords],
    ) -> _Out: ...
    @overload
    def __call__(
        self,
        x: Any,
        /,
        *parameters: ArrayLike,
        out: None,
        where: ArrayLike = ...,
        dtype: DTypeLike = ...,
        **keywords: Unpack[_Keywords],
    ) -> Any: ...
    @overload
    def __call__(
        self, x: Any, /, *parameters: ArrayLike, where: ArrayLike, dtype: DTypeLike = ..., **keywords: Unpack[_Keywords]
    ) -> Any: ...
    @overload
    def __call__(self, x: Any, /, *parameters: ArrayLike, dtype: DTypeLike, **keywords: Unpack[_Keywords]) -> Any: ...
    def __call__(self, *arguments: Any, **keywords: Any) -> Any:  # type: ignore[misc]
        """Described here, and done by ufuncs."""
        raise NotImplementedError


class Gradient(_Base, Generic[P]):  # type: ignore[misc]
    """dx = f_backward(dy, x, parameters); for f_backward_from_output x stands for f's output."""

    @overload
    def __call__(self, dy: _Floats, x: _Floats | float, /, *parameters: P.args, **named: P.kwargs) -> _Floats: ...
    @overload
    def __call__(self, dy: float, x: _Floats, /, *parameters: P.args, **named: P.kwargs) -> _Floats: ...
    @overload
    def __call__(self, dy: float, x: _Float, /, *parameters: P.args, **named: P.kwargs) -> _Float: ...
    @overload
    def __call__(self, dy: float, x: float, /, *parameters: P.args, **named: P.kwargs) -> np.float64: ...
    @overload
    def __call__(
        self, dy: _Integers, x: _Integers, /, *parameters: P.args, **named: P.kwargs
    ) -> NDArray[np.floating[Any]]: ...
    @overload
    def __call__(self, dy: _Other, x: Any, /, *parameters: P.args, **named: P.kwargs) -> _Other: ...
    @overload
    def __call__(self, dy: Any, x: _Other, /, *parameters: P.args, **named: P.kwargs) -> _Other: ...
    @overload
    def __call__(
        self, dy: ArrayLike, x: ArrayLike, /, *parameters: P.args, **named: P.kwargs
    ) -> NDArray[np.floating[Any]]: ...
    @overload
    def __call__(
        self,
        dy: Any,
        x: Any,
        /,
        *parameters: ArrayLike,
        out: _Out | tuple[_Out],
        where: ArrayLike = ...,
        dtype: DTypeLike = ...,
        **keywords: Unpack[_Keywords],
    ) -> _Out: ...
    @overload
    def __call__(
        self,
        dy: Any,
        x: Any,
        /,
        *parameters: ArrayLike,
        out: None,
        where: ArrayLike = ...,
        dtype: DTypeLike = ...,
        **keywords: Unpack[_Keywords],
    ) -> Any: ...
    @overload
    def __call__(
        self,
        dy: Any,
        x: Any,
        /,
        *parameters: ArrayLike,
        where: ArrayLike,
        dtype: DTypeLike = ...,
        **keywords: Unpack[_Keywords],
    ) -> Any: ...
    @overload
    def __call__(
        self, dy: Any, x: Any, /, *parameters: ArrayLike, dtype: DTypeLike, **keywords: Unpack[_Keywords]
    ) -> Any: ...
    def __call__(self, *arguments: Any, **keywords: Any) -> Any:  # type: ignore[misc]
        """Described here, and done by ufuncs."""
        raise NotImplementedError
