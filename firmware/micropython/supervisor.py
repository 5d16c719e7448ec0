"""The board's life: join Wi-Fi, connect, say it is there, beat until told otherwise; when anything fails, again.

The console shows one line for each change of state.
"""

import gc
import os
import time

import payloads
from board import Board
from link import Link, Refused
from net import Wifi

POLL_MS = 100
BACKOFF_MS = (1_000, 2_000, 4_000, 8_000, 16_000, 30_000)
STABLE_MS = 30_000  # a link that held this long starts the back-off over
NTP_MS = 3_600_000


class Supervisor:
    """Keeps one device alive and connected."""

    def __init__(self, config):
        self._config = config
        self._board = Board()
        self._wifi = Wifi(config.ssid, config.wifi_password, self._log)
        self._link = Link(config, config, self._on_message)
        self._status_topic = payloads.topic(config.device_id, "status")
        self._command_topic = payloads.topic(config.device_id, "command")
        self._heartbeat_topic = payloads.topic(config.device_id, "heartbeat")
        self._conn = 0
        self._seq = 0
        self._called_offline = False
        self._command = None

    def run(self):
        """Run until Ctrl-C; no other way out."""
        board = self._board
        self._log(
            "%s: firmware %s, boot %s (number %d), reset %s"
            % (self._config.device_id, board.FIRMWARE, board.boot, board.boots, board.reset_cause)
        )
        failures = 0
        try:
            while True:
                began = board.uptime_ms
                try:
                    self._session()
                except Exception as error:
                    self._log("link: %s" % (str(error) or type(error).__name__))
                self._link.drop()
                if board.uptime_ms - began >= STABLE_MS:
                    failures = 0
                self._back_off(failures)
                failures += 1
        except KeyboardInterrupt:
            self._goodbye()
            board.relax()

    def _session(self):
        """One connection, from Wi-Fi to its end; the end is always an exception."""
        self._wifi.join(self._idle)
        self._connect()
        self._say_online()
        for topic in (self._status_topic, self._command_topic):
            try:
                self._link.subscribe(topic)
            except Refused as error:  # proof of life matters more than being told things
                self._log("link: %s: %s" % (topic.decode(), error))
        self._beat_for_ever()

    def _connect(self):
        gc.collect()  # TLS wants its buffers in one piece
        conn = self._conn + 1
        try:
            self._link.connect(self._status_topic, payloads.status(self._board, conn, self._config, "lwt"))
        finally:
            # A number the broker may have seen in a will is never used again; an attempt that did not get as
            # far as the broker takes none.
            if self._link.greeted:
                self._conn = conn
        self._log("link: connected to %s:%d, connection %d" % (self._config.host, self._config.port, conn))
        self._called_offline = False
        self._command = None

    def _beat_for_ever(self):
        board = self._board
        interval_ms = self._config.interval_s * 1000
        next_beat = time.ticks_ms()
        next_clock = time.ticks_ms()
        while True:
            if time.ticks_diff(time.ticks_ms(), next_beat) >= 0:
                self._beat()
                next_beat = time.ticks_add(next_beat, interval_ms)
                if time.ticks_diff(time.ticks_ms(), next_beat) >= 0:  # we stood still: no burst to catch up
                    next_beat = time.ticks_add(time.ticks_ms(), interval_ms)
            self._link.poll()
            if self._called_offline:
                self._called_offline = False
                self._log("status: read offline while alive, corrected")
                self._say_online()
            if self._command:
                self._obey()
            if time.ticks_diff(time.ticks_ms(), next_clock) >= 0:
                board.set_clock()
                next_clock = time.ticks_add(time.ticks_ms(), NTP_MS)
            self._idle(POLL_MS)

    def _say_online(self):
        birth = payloads.status(self._board, self._conn, self._config)
        self._link.publish(self._status_topic, birth, retain=True, qos=1)

    def _beat(self):
        self._board.tick()
        self._seq += 1
        payload = payloads.heartbeat(self._board, self._conn, self._seq, self._config.interval_s, self._wifi.rssi())
        # QoS 0: a lost one is made good by the next, and poll() notices a link that takes them and is dead.
        self._link.publish(self._heartbeat_topic, payload, retain=True)

    def _on_message(self, topic, payload):
        # Called in the middle of umqtt's reading: only take note. Publishing here would recurse.
        if topic == self._status_topic:
            if payloads.says_offline(payload):
                self._called_offline = True
        elif topic == self._command_topic:
            self._command = payloads.command(payload) or self._command

    def _obey(self):
        command, self._command = self._command, None
        self._log("command: " + command)
        if command == "reboot":
            self._goodbye()
            self._board.reset()
        # identify: the line above is all a board without a known LED can do

    def _goodbye(self):
        """Say that the silence to come is meant."""
        if self._link.connected:
            try:
                if self._link.torn:
                    self._connect()
                bye = payloads.status(self._board, self._conn, self._config, "bye")
                self._link.publish(self._status_topic, bye, retain=True, qos=1)
                self._link.disconnect()
                self._log("link: said goodbye")
            except Exception as error:
                self._log("link: no goodbye: %s" % error)
        self._link.drop()
        self._log("stopped")

    def _back_off(self, failures):
        # Between half of it and all: after an outage a whole town of boards comes back at once.
        delay = BACKOFF_MS[min(failures, len(BACKOFF_MS) - 1)] * (256 + os.urandom(1)[0]) // 512
        self._log("link: next attempt in %.1f s" % (delay / 1000))
        until = time.ticks_add(time.ticks_ms(), delay)
        while time.ticks_diff(until, time.ticks_ms()) > 0:
            self._idle(POLL_MS)

    def _idle(self, ms):
        # The only place that feeds the watchdog, so a step that hangs gets no help.
        self._board.feed()
        self._board.tick()
        time.sleep_ms(ms)

    def _log(self, text):
        self._board.tick()
        print("%9.1f %s" % (self._board.uptime_ms / 1000, text))
