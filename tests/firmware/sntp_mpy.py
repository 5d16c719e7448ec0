"""Asks the servers at the given ports for the time; prints it, or how it failed, and the longest single step."""

import json
import sys
import time

import sntp

sntp.DNS_PORT = int(sys.argv[1])
sntp.NTP_PORT = int(sys.argv[2])
patience_ms = int(sys.argv[3])

result = {"epoch": None, "error": None}
longest = 0
asked = None
began = time.ticks_ms()
try:
    asked = sntp.Sntp("127.0.0.1")
    while result["epoch"] is None and time.ticks_diff(time.ticks_ms(), began) < patience_ms:
        before = time.ticks_ms()
        result["epoch"] = asked.poll()
        longest = max(longest, time.ticks_diff(time.ticks_ms(), before))
        time.sleep_ms(10)
except Exception as error:
    result["error"] = type(error).__name__
if asked:
    asked.close()
    asked.close()
result["longest"] = longest
print(json.dumps(result))
