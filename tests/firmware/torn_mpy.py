"""Runs the firmware and presses Ctrl-C when half of the third heartbeat is on the wire."""

import run

run.fit_umqtt()

import json  # noqa: E402 - umqtt has to be fitted first

import link  # noqa: E402
import main  # noqa: E402

flush = link.Channel.flush
beats = 0


def interrupted(self):
    global beats
    if b"/heartbeat" in self._out:
        beats += 1
        if beats == 3:
            self._give(bytes(self._out[:20]))
            raise KeyboardInterrupt
    flush(self)


link.Channel.flush = interrupted
code = main.run()
print(json.dumps({"code": code, "beats": beats}))
