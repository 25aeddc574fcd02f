-- Which of these files were applied, and their hashes as they were then.
CREATE TABLE IF NOT EXISTS agenttracer_migrations{on_cluster}
(
    Number UInt32,
    Name String,
    Sha256 String,
    AppliedAt DateTime64(3) DEFAULT now64(3)
)
ENGINE = {engine}
ORDER BY (Number, AppliedAt)
