"""What ``agenttracer doctor`` looks at, and how it says it."""
