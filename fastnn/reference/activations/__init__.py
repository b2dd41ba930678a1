"""The reference activations, flat."""

# ruff: noqa: F401
from .gated import (
    bias_activation,
    bias_activation_backward,
    glu,
    glu_backward,
    maxout,
    maxout_backward,
)
from .lookup import (
    activation,
)
from .parametric import (
    prelu,
    prelu_backward,
    rrelu,
    rrelu_backward,
    rrelu_forward,
)
from .rectified import (
    celu,
    celu_backward,
    celu_backward_from_output,
    elu,
    elu_backward,
    elu_backward_from_output,
    leaky_relu,
    leaky_relu_backward,
    leaky_relu_backward_from_output,
    relu,
    relu6,
    relu6_backward,
    relu_backward,
    relu_backward_from_output,
    selu,
    selu_backward,
    selu_backward_from_output,
    threshold,
    threshold_backward,
)
from .shrink import (
    hardshrink,
    hardshrink_backward,
    softshrink,
    softshrink_backward,
    tanhshrink,
    tanhshrink_backward,
)
from .sigmoidal import (
    hard_sigmoid,
    hard_sigmoid_backward,
    hard_tanh,
    hard_tanh_backward,
    hard_tanh_backward_from_output,
    log_sigmoid,
    log_sigmoid_backward,
    sigmoid,
    sigmoid_backward,
    sigmoid_backward_from_output,
    softsign,
    softsign_backward,
    softsign_backward_from_output,
    tanh,
    tanh_backward,
    tanh_backward_from_output,
)
from .smooth import (
    gelu,
    gelu_backward,
    gelu_tanh,
    gelu_tanh_backward,
    hard_silu,
    hard_silu_backward,
    hard_swish,
    hard_swish_backward,
    mish,
    mish_backward,
    quick_gelu,
    quick_gelu_backward,
    silu,
    silu_backward,
    softplus,
    softplus_backward,
    softplus_backward_from_output,
    squareplus,
    squareplus_backward,
    swish,
    swish_backward,
)
from .softmax import (
    log_softmax,
    log_softmax_backward,
    logsumexp,
    softmax,
    softmax_backward,
)
