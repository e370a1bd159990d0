"""The calls about hooks: the hooks themselves, whose accounts are whose, and the quarantine."""
