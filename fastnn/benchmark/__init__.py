"""fastnn against other libraries: what `fastnn bench` and the benchmarks of the repository measure with.

A `Work` is what one call has to do, with its arrays; `peers` gives every way in which the libraries that are installed
do it, `check` compares their results, `timing` times them in interleaved rounds, `record` makes a row of the times.
"""
