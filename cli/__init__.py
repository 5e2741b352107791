"""The command `perennial`: one verb a file."""
