"""What a user of the whole system does, against one that runs."""
