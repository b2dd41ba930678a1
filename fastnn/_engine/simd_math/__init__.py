"""Vectorisable scalar maths: plain arithmetic, no table and no call, that LLVM turns into vector code."""
