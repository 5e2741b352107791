"""What differs between kinds of task."""
