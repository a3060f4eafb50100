"""What ops/up, ops/down, ops/status and ops/test share: one module for each responsibility."""
