"""Redis (or Valkey), which holds only data that may be lost. Timeouts are short."""
