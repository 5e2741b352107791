"""From files to clean splits."""
