"""Django's Postgres backend with a limit on how long anybody waits for an answer."""
