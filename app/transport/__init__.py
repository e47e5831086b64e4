"""Sockets: HTTP/1.1 to the upstream, below `requests`, and waits for either side that always end."""
