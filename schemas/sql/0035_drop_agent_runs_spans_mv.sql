-- Whose a run is, its times and its status come with its sums, from the exporter: what fed them from otel_traces is gone.
DROP TABLE IF EXISTS agent_runs_spans_mv{on_cluster}
