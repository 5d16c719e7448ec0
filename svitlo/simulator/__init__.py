"""Virtual devices and houses, to try the system without a screwdriver."""
