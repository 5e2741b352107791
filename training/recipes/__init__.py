"""Ways to learn beside plain fine-tuning."""
