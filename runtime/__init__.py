"""The ground floor that every process stands on: Postgres, Redis, loops, pacing. Imports nothing of ours."""
