"""From a network to the files that are deployed."""
