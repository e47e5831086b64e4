"""HTTP/1.1 to the upstream below `requests`: connections of our own, and everything that waits."""
