"""Django's Postgres backend, with a time limit on every answer and `NotMigrated` for missing tables."""
