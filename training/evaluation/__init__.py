"""What the artefact does on texts it has not seen."""
