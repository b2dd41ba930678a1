"""The reference functions by what their modules hold."""

# ruff: noqa: F403

from . import activations as activations
from . import dropout as dropout
from . import losses as losses
from . import monitor as monitor
from . import normalization as normalization
from . import optim as optim
from . import preprocess as preprocess
from .activations.gated import *
from .activations.lookup import *
from .activations.parametric import *
from .activations.rectified import *
from .activations.shrink import *
from .activations.sigmoidal import *
from .activations.smooth import *
from .activations.softmax import *
from .dropout import *
from .losses.binary import *
from .losses.classes import *
from .losses.penalties import *
from .losses.regression import *
from .monitor import *
from .normalization.batch import *
from .normalization.group import *
from .normalization.layer import *
from .optim.adam import *
from .optim.adaptive import *
from .optim.clip import *
from .optim.layerwise import *
from .optim.momentum import *
from .optim.signs import *
from .preprocess import *
