"""What model calls cost: the price table, the names of models in it, and the arithmetic."""
