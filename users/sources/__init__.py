"""Sources: their admin pages and their callbacks."""
