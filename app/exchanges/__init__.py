"""One request of a client and its answer, one module for each kind of request."""
