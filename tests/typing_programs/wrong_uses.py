"""Mistakes that a type checker must report: on every line with `# E:` this kind of error, and on no other."""

import numpy as np

import fastnn as fnn
from fastnn.typing import Gradient

x = np.zeros((4, 3), np.float32)
labels = np.zeros(4, int)

fnn.gelu()  # E: call-overload
fnn.gelu(x, 1.0)  # E: call-overload
fnn.gelu(x, beta=1.0)  # E: call-overload
fnn.elu(x, alpha=1.0, beta=1.0)  # E: call-overload
fnn.threshold(x, 0.5)  # E: call-overload
fnn.gelu(x, out="y")  # E: call-overload
fnn.gelu(x, out=x, casting="sometimes")  # E: call-overload
fnn.gelu_backward(x)  # E: call-overload
fnn.no_such_function(x)  # E: attr-defined
fnn.relu6_backward_from_output(x, x)  # E: attr-defined
wrong: Gradient[[]] = fnn.gelu  # E: assignment
text: str = fnn.gelu(x)  # E: assignment

fnn.softmax(x, axis="rows")  # E: arg-type
fnn.glu(x, gate=1)  # E: arg-type
fnn.activation("gelu", from_output="yes")  # E: arg-type

fnn.batch_norm_forward(x, None, None, eps="small")  # E: arg-type
fnn.batch_norm_forward(x, None)  # E: call-arg
y, cache = fnn.layer_norm_forward(x)
fnn.batch_norm_backward(x, cache)  # E: arg-type
dx, dgamma = fnn.layer_norm_backward(x, cache)  # E: misc
fnn.batch_norm_apply(x, (4, x, x), None, None)  # E: arg-type
fnn.merge_batch_stats(x)  # E: type-var
fnn.dropout_forward(x, rng="seed")  # E: arg-type
fnn.dropout_backward(x, cache)  # E: arg-type

fnn.mse(x, x, reduction="average")  # E: call-overload
fnn.mse(x)  # E: call-overload
fnn.huber(x, x, beta=1.0)  # E: call-overload
loss, grad = fnn.softmax_cross_entropy(x, labels)
grad.append(1)  # E: attr-defined
fnn.l2_penalty(x)  # E: call-arg

fnn.optim.Adam([x], lr="fast")  # E: arg-type
fnn.optim.Adam([x], momentum=0.9)  # E: call-arg
fnn.optim.SGD([x], 0.1, momentum_form="keras")  # E: arg-type
fnn.optim.SGD({"w": 1.0})  # E: dict-item
fnn.optim.RMSprop([x]).step()  # E: call-arg
fnn.clip_by_global_norm([x], "1")  # E: arg-type

fnn.init.he_normal("8, 4")  # E: arg-type
fnn.vmath.exp("1")  # E: call-overload
fnn.set_num_threads("2")  # E: arg-type


@fnn.elementwise(name=3)  # E: call-overload
def half(x: float) -> float:
    return x / 2


fnn.elementwise(lambda: 1.0)  # E: arg-type
