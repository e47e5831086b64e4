"""One request of a client and its answer: `chat`, `messages` and `count`; the other modules are what these share."""
