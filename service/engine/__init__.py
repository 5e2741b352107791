"""What answers a text: encoding, batches, session runs."""
