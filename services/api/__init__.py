"""The API: what every site's power is and was, over HTTP, for people and programs. Reads only."""
