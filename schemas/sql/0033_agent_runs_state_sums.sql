-- What a run comes to, from its folded steps: of two folds, the one that saw more spans; of the same spans, the one that
-- was made later because something else had changed, prices for one.
ALTER TABLE agent_runs_state{on_cluster}
    ADD COLUMN IF NOT EXISTS Sums SimpleAggregateFunction(max, Tuple(
        Spans UInt64,
        Revision UInt64,
        Steps UInt64,
        ModelCalls UInt64,
        ToolCalls UInt64,
        Retrievals UInt64,
        Failures UInt64,
        InputTokens UInt64,
        OutputTokens UInt64,
        CostUsd Nullable(Decimal(38, 9)),
        RootFailed Bool,
        LastFailure DateTime64(9),
        LastSuccess DateTime64(9),
        FailureType String,
        FailureCode String
    )) CODEC(ZSTD(1)) AFTER FirstFailure
