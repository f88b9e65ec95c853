"""Feature builders, one per type of data."""
