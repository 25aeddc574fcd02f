-- Whose run it is: the agent that began first of those that rank the same. A run that was handed over goes by the name
-- of who was asked. Time is when the insert begins that the agent came in: no other insert's agents began before the
-- first one did.
ALTER TABLE agent_runs_state{on_cluster}
    ADD COLUMN IF NOT EXISTS FirstAgent SimpleAggregateFunction(min, Tuple(
        Rank UInt8,
        Time DateTime64(9),
        AgentName String,
        AgentVersion String,
        ServiceName String,
        TraceId String
    )) DEFAULT tuple(
        tupleElement(Identity, 'Rank'), ifNull(StartTime, LastSeen), tupleElement(Identity, 'AgentName'),
        tupleElement(Identity, 'AgentVersion'), tupleElement(Identity, 'ServiceName'), tupleElement(Identity, 'TraceId')
    ) CODEC(ZSTD(1)) AFTER Identity
