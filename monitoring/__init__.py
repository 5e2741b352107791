"""From the prediction log and a release's reference to verdicts, metrics and reports."""
