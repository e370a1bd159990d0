"""The base of every process: Postgres, Redis, loops, batching, pacing. Imports none of our other packages."""
