"""A month of uptime in a moment, and the clock."""

import json
import time

from board import Board

time.ticks_offset = (1 << 30) - 2_000 - time.ticks_ms()  # two seconds before the wrap
board = Board()
uptimes = []
for _day in range(30):
    for _ in range(24):
        time.ticks_offset += 3_600_000
        board.tick()
    uptimes.append(board.uptime_ms // 1000)

epoch = board.epoch()
time.time = lambda: 1000  # as after a cold start: 2000-01-01
print(json.dumps({"uptimes": uptimes, "epoch": epoch, "cold": board.epoch()}))
