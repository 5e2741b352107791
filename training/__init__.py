"""From data and a task spec to a release."""
