"""What is kept of predictions and feedback."""
