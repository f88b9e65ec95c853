"""One builder a data type."""
