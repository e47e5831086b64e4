"""What is counted of each request, and how several workers count together."""
