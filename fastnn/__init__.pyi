"""Every public name with its type; `__init__.py` imports them when they are first used.

A family of activations lists its own names, which are not repeated here.
"""

# ruff: noqa: F403

from . import activations as activations
from . import compat as compat
from . import dropout as dropout
from . import ensemble as ensemble
from . import init as init
from . import losses as losses
from . import monitor as monitor
from . import normalization as normalization
from . import optim as optim
from . import preprocess as preprocess
from . import recipe as recipe
from . import reference as reference
from . import schedules as schedules
from . import search as search
from . import vmath as vmath
from ._engine.runtime import get_num_threads as get_num_threads
from ._engine.runtime import set_num_threads as set_num_threads
from ._engine.runtime import threads as threads
from ._engine.ufuncs import elementwise as elementwise
from ._version import __version__ as __version__
from .activations import *
from .dropout import alpha_dropout_backward as alpha_dropout_backward
from .dropout import alpha_dropout_forward as alpha_dropout_forward
from .dropout import drop_path_backward as drop_path_backward
from .dropout import drop_path_forward as drop_path_forward
from .dropout import dropout_backward as dropout_backward
from .dropout import dropout_forward as dropout_forward
from .dropout import dropout_mask as dropout_mask
from .dropout import gaussian_dropout_backward as gaussian_dropout_backward
from .dropout import gaussian_dropout_forward as gaussian_dropout_forward
from .dropout import spatial_dropout_backward as spatial_dropout_backward
from .dropout import spatial_dropout_forward as spatial_dropout_forward
from .gradient_check import GradientReport as GradientReport
from .gradient_check import check_gradient as check_gradient
from .gradient_check import numeric_gradient as numeric_gradient
from .losses import binary_cross_entropy as binary_cross_entropy
from .losses import binary_cross_entropy_with_logits as binary_cross_entropy_with_logits
from .losses import elastic_net_penalty as elastic_net_penalty
from .losses import focal as focal
from .losses import hinge as hinge
from .losses import huber as huber
from .losses import kl_div as kl_div
from .losses import l1_penalty as l1_penalty
from .losses import l2_penalty as l2_penalty
from .losses import log_cosh as log_cosh
from .losses import mae as mae
from .losses import mse as mse
from .losses import multiclass_hinge as multiclass_hinge
from .losses import nll_loss as nll_loss
from .losses import smooth_l1 as smooth_l1
from .losses import softmax_cross_entropy as softmax_cross_entropy
from .normalization.batch import batch_norm_backward as batch_norm_backward
from .normalization.batch import batch_norm_forward as batch_norm_forward
from .normalization.batch import batch_norm_inference as batch_norm_inference
from .normalization.batch import batch_norm_inference_backward as batch_norm_inference_backward
from .normalization.group import group_norm_backward as group_norm_backward
from .normalization.group import group_norm_forward as group_norm_forward
from .normalization.group import instance_norm_backward as instance_norm_backward
from .normalization.group import instance_norm_forward as instance_norm_forward
from .normalization.layer import layer_norm_backward as layer_norm_backward
from .normalization.layer import layer_norm_forward as layer_norm_forward
from .normalization.layer import rms_norm_backward as rms_norm_backward
from .normalization.layer import rms_norm_forward as rms_norm_forward
from .normalization.synchronized import BatchGradStats as BatchGradStats
from .normalization.synchronized import BatchStats as BatchStats
from .normalization.synchronized import batch_norm_apply as batch_norm_apply
from .normalization.synchronized import batch_norm_backward_apply as batch_norm_backward_apply
from .normalization.synchronized import batch_norm_backward_stats as batch_norm_backward_stats
from .normalization.synchronized import batch_norm_stats as batch_norm_stats
from .normalization.synchronized import merge_batch_stats as merge_batch_stats
from .optim.clip import clip_by_global_norm as clip_by_global_norm
from .optim.clip import clip_by_value as clip_by_value
from .optim.clip import global_norm as global_norm
