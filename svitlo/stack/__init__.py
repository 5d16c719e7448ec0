"""The embedded stack: Mosquitto, PostgreSQL and the four services on one machine."""
