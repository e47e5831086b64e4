"""How many connections a worker can hold: each takes open files, of which the kernel grants so many."""

from __future__ import annotations

import resource

DESCRIPTORS_A_STREAM = 2
"""The client's socket and the upstream's."""
OTHER_DESCRIPTORS = 256
"""The listener, logs, pipes, files being read, pooled connections to the upstream."""


def connections_that_fit(wanted: int) -> int:
    """Raise the soft limit of open files as needed; the number of connections that then fit in a worker."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = wanted * DESCRIPTORS_A_STREAM + OTHER_DESCRIPTORS
    if hard != resource.RLIM_INFINITY:
        needed = min(needed, hard)
    if soft != resource.RLIM_INFINITY and soft < needed:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))
        except ValueError:  # macOS: an unlimited hard limit still ends at kern.maxfilesperproc
            needed = soft
    return max(1, min(wanted, (needed - OTHER_DESCRIPTORS) // DESCRIPTORS_A_STREAM))
