"""The broker's accounts: who exists, what each may do, and how the broker is kept in step with the database.

Import from the modules: whoever only derives a password need not load an MQTT client.
"""
