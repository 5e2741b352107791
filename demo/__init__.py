"""The sample data set and the story that `make demo` tells."""
