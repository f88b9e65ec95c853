"""From an experiment file to a validated, tracked, explained model."""
