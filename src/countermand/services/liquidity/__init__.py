"""Where an order's swap is made: today nowhere but in a sandbox, whose pool is `sandbox.pool`."""
