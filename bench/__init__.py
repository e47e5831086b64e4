"""What the proxy costs, measured beside other gateways. Run `python -m bench`; README.md tells how to read it."""
