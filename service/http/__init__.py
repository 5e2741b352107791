"""What the service speaks: requests in, answers and problems out."""
