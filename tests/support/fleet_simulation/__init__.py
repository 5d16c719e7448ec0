"""A made-up fleet with a known truth: what its boards say, what we hear of it, and how well the core reads it.

Everything follows from a profile and a seed. Times are seconds since `clock.START`, as floats.
"""
