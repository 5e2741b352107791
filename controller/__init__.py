"""From an alert to a decision, a training job, and a rollout."""
