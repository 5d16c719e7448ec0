"""Ways out: where alerts are delivered, and what can go wrong there."""
