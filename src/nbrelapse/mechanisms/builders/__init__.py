"""Feature builders, one a file: ``build(cohort, definitions)`` returns a column a definition."""
