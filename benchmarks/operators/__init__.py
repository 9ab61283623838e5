"""The kernels' figures, a file for each operator: each has `LIBRARIES`, its peers, and `rows()`, equality first."""
