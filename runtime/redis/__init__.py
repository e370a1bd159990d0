"""Redis (or Valkey), which carries only what may be lost: nobody waits long for it."""
