-- Steps are folded before they are stored; what did it at every question, and what fed that, is gone.
DROP TABLE IF EXISTS
    agent_spans_mv, agent_spans_logs_mv, agent_runs_to_fold_mv, agent_steps_folded, agent_runs_to_fold{on_cluster}
