"""What upstreams and models accept: known, and learned from their refusals."""
