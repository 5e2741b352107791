"""Names of all Prometheus metrics, defined once; `k8s/` uses no other (a test holds it to that)."""

from __future__ import annotations

# The service.
REQUESTS = "perennial_requests"  # counter: task, route, code
REQUEST_SECONDS = "perennial_request_seconds"  # histogram: task, route
PREDICTIONS = "perennial_predictions"  # counter: task, release, label; a shadow's are not counted here
PREDICTION_SECONDS = "perennial_prediction_seconds"  # histogram: task, release, role
MODEL_FAILURES = "perennial_model_failures"  # counter: task, release; texts for which a session run gave no answer
SHADOW_PREDICTIONS = "perennial_shadow_predictions"  # counter: task, release, outcome = same | other | dropped
CACHE_LOOKUPS = "perennial_cache_lookups"  # counter: task, outcome = hit | miss
BATCH_SIZE = "perennial_batch_size"  # histogram: task, texts in one session run
BATCH_TOKENS = "perennial_batch_tokens"  # histogram: task, tokens in one session run, padding included
RUN_TOKENS = "perennial_run_tokens"  # counter: task, kind = text | padding
QUEUE_TOKENS = "perennial_queue_tokens"  # gauge: task
RELEASE_INFO = "perennial_release_info"  # gauge, 1: task, release, role
RELEASE_FAILURES = "perennial_release_load_failures"  # counter: task
LOG_WRITTEN = "perennial_log_records_written"  # counter: task
LOG_DROPPED = "perennial_log_records_dropped"  # counter: task, reason
FEEDBACK = "perennial_feedback"  # counter: task
API_KEYS_STALE = "perennial_api_keys_stale"  # gauge, 1 while the file of API keys cannot be used

# The monitor.
DRIFT = "perennial_drift"  # gauge, 1 while the verdict is drift, else 0: task, release
DRIFT_ALERTING = "perennial_drift_alerting"  # gauge, 1 while the run of drifted windows is long enough: task, release
DRIFT_INSUFFICIENT = "perennial_drift_insufficient"  # gauge, 1 while the verdict is insufficient: task, release
DRIFT_SCORE = "perennial_drift_score"  # gauge: task, release, detector
DRIFT_P_VALUE = "perennial_drift_p_value"  # gauge, Holm-adjusted: task, release, detector
ACCURACY = "perennial_accuracy"  # gauge: task, release, source = reference | measured | estimated
WINDOW_ROWS = "perennial_window_rows"  # gauge: task, release
MONITOR_LAST_RUN = "perennial_monitor_last_run_timestamp_seconds"  # gauge
LOG_MALFORMED = "perennial_log_lines_malformed"  # gauge: task

# The controller.
ALERTS = "perennial_alerts"  # counter: status
DECISIONS = "perennial_decisions"  # counter: task, action
JOB_RUNNING = "perennial_training_job_running"  # gauge: task

ALL = tuple(value for name, value in list(globals().items()) if name.isupper() and isinstance(value, str))
