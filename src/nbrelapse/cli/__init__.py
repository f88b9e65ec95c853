"""The nbrelapse command."""
