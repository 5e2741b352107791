"""From splits to a trained network."""
