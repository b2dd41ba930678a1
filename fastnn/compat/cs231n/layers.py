"""All layers and losses of assignments 1 and 2; see the modules that they come from."""

from .affine import affine_backward, affine_forward, relu_backward, relu_forward
from .batch_norm import (
    batchnorm_backward,
    batchnorm_backward_alt,
    batchnorm_forward,
    spatial_batchnorm_backward,
    spatial_batchnorm_forward,
)
from .combined import (
    affine_bn_relu_backward,
    affine_bn_relu_forward,
    affine_relu_backward,
    affine_relu_forward,
    conv_bn_relu_backward,
    conv_bn_relu_forward,
    conv_relu_backward,
    conv_relu_forward,
    conv_relu_pool_backward,
    conv_relu_pool_forward,
)
from .conv import (
    conv_backward,
    conv_backward_fast,
    conv_backward_naive,
    conv_forward,
    conv_forward_fast,
    conv_forward_im2col,
    conv_forward_naive,
)
from .dropout import dropout_backward, dropout_forward
from .layer_norm import layernorm_backward, layernorm_forward, spatial_groupnorm_backward, spatial_groupnorm_forward
from .losses import softmax_loss, svm_loss
from .pool import (
    max_pool_backward,
    max_pool_backward_fast,
    max_pool_backward_naive,
    max_pool_forward,
    max_pool_forward_fast,
    max_pool_forward_naive,
)

__all__ = [
    "affine_backward",
    "affine_bn_relu_backward",
    "affine_bn_relu_forward",
    "affine_forward",
    "affine_relu_backward",
    "affine_relu_forward",
    "batchnorm_backward",
    "batchnorm_backward_alt",
    "batchnorm_forward",
    "conv_backward",
    "conv_backward_fast",
    "conv_backward_naive",
    "conv_bn_relu_backward",
    "conv_bn_relu_forward",
    "conv_forward",
    "conv_forward_fast",
    "conv_forward_im2col",
    "conv_forward_naive",
    "conv_relu_backward",
    "conv_relu_forward",
    "conv_relu_pool_backward",
    "conv_relu_pool_forward",
    "dropout_backward",
    "dropout_forward",
    "layernorm_backward",
    "layernorm_forward",
    "max_pool_backward",
    "max_pool_backward_fast",
    "max_pool_backward_naive",
    "max_pool_forward",
    "max_pool_forward_fast",
    "max_pool_forward_naive",
    "relu_backward",
    "relu_forward",
    "softmax_loss",
    "spatial_batchnorm_backward",
    "spatial_batchnorm_forward",
    "spatial_groupnorm_backward",
    "spatial_groupnorm_forward",
    "svm_loss",
]
