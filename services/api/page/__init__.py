"""The page for people: words, looks, and how they are put together. Pure."""
