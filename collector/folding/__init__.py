"""Which spans are one step: all rows of a run are folded together, in however many inserts they come."""
