"""The detector's pure core: no IO, no clock, no asyncio. Time comes in as `now`, aware, in UTC."""
