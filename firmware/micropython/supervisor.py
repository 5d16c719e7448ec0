"""The board's life: join the network, connect, say it is there, beat until told otherwise; when anything fails, again.

The console shows one line for each change of state.
"""

import gc
import os
import time

import checked
import net
import payloads
import store
from journal import Journal
from keys import Keys
from link import Link, Refused
from orders import Orders
from presence import Presence
from senses import Senses

POLL_MS = 100
LOADING_POLL_MS = 20
BACKOFF_MS = (2_000, 4_000, 8_000, 16_000, 30_000)
STABLE_MS = 30_000  # a link that held this long starts the back-off over
GASP_MS = 2_000  # a board on a capacitor has no ten seconds to wait for an answer
KEEP_MS = 500  # nor two: what is not acknowledged by then is kept in flash
TRIAL_MS = 300_000  # a new version that was not heard by then is given up
FIRST_MS = 180_000  # a configuration that never worked gets this long before the board asks for another
REFUSALS = 3
STARVED = 3
STUCK_MS = 600_000
# What the drivers and TLS make of a lack of it: ENOMEM, ENFILE, ENOBUFS, and as errno two codes of Mbed TLS, for
# numbers and for ASN.1. Its other codes for it are many, in sums even, but each of their texts has "alloc" in it.
NO_MEMORY = (12, 23, 105, 16, 106)
UNHEARD = 10  # attempts in a row that did not get to the broker: the network may only look as if it were there
CLOCK_MS = 6_000


class SetUp(Exception):
    """Set-up mode is wanted; the text says what went wrong, empty when the button was pressed."""


class Supervisor:
    """Keeps one device alive and connected."""

    def __init__(self, config, board, lamp, button, log):
        self._config = config
        self._board = board
        self._lamp = lamp
        self._log = log
        self._senses = Senses(config, lamp, button, log)
        self._journal = Journal(board)
        self._keys = Keys(config, log)
        self._orders = Orders(config, board, self._keys, lamp, log)
        self._net = net.make(config, log)
        self._link = Link(config, self._keys, self._on_message, self._on_wait)
        self._presence = Presence(config, board, self._senses, self._link, log)
        self._heartbeat_topic = payloads.topic(config.device_id, "heartbeat")
        self._command_topic = payloads.topic(config.device_id, "command")
        self._update_topic = payloads.topic(config.device_id, "update")
        self._conn = 0
        self._seq = 0
        self._failures = 0
        self._refusals = 0
        self._starved = 0
        self._unheard = 0
        self._timeless = False  # a certificate was refused for its dates, and our clock was never set
        self._problem = ""
        self._remembered = False
        self._proved = store.read("proved") is not None
        self.patient = False  # there is no set-up mode to go to
        self._edge = None  # a change of the mains nobody was told yet: kind while not in the journal, and uptime in ms
        self._loading = False  # an update

    def run(self):
        """Run until Ctrl-C; SetUp is the only other way out."""
        board = self._board
        self._log(
            "%s: firmware %s%s, boot %s (number %d), reset %s"
            % (
                self._config.device_id,
                board.FIRMWARE,
                " on trial" if self._orders.updater.trial else "",
                board.boot,
                board.boots,
                board.reset_cause,
            )
        )
        self._journal.note("boot")
        try:
            while True:
                began = board.uptime_ms
                try:
                    self._session()
                except SetUp:
                    raise
                except Exception as error:
                    self._end_session(error)
                if board.uptime_ms - began >= STABLE_MS:
                    self._failures = 0
                self._back_off()
                self._failures += 1
        except KeyboardInterrupt:
            self._goodbye()
            board.relax()
        except SetUp:
            self._goodbye()
            raise

    def _end_session(self, error):
        self._note_mains()
        self._edge = None
        text = str(error) or type(error).__name__
        self._log("link: " + text)
        code, name = error.args[:1], str(error.args[1:]).lower()
        starved = isinstance(error, MemoryError) or (code and code[0] in NO_MEMORY) or "alloc" in name
        self._starved = self._starved + 1 if starved else 0
        # Memory in pieces, a driver in halves: only a new start puts them together. A PHY that is broken for good gets
        # one soon and then few, since each boot is counted in flash.
        board = self._board
        stuck = self._net.stuck and (board.reset_cause == "power_on" or board.uptime_ms >= STUCK_MS)
        if self._proved and (self._starved >= STARVED or stuck):
            self._goodbye()
            board.reset()
        if self._link.connected:
            self._journal.note("net_lost")
        self._link.drop()
        self._unheard = 0 if self._link.greeted else self._unheard + 1
        self._lamp.show("broker")
        self._timeless = "certificate not accepted" in text and self._board.epoch() is None
        if isinstance(error, Refused) and error.code in (4, 5):
            self._refusals += 1
            if self._keys.refused():
                self._log("link: trying the other password")
            elif self._refusals >= REFUSALS and not self._proved:
                self._set_up(text)
        self._problem = text

    def _session(self):
        """One connection, from the network to its end; the end is always an exception."""
        self._lamp.show("wifi")
        if self._unheard >= UNHEARD:
            self._unheard = 0
            self._net.renew(self._idle)
        self._net.join(self._idle)
        self._lamp.show("broker")
        if self._timeless:
            self._find_time()
        again = self._conn > 0
        # Each step may take its ten seconds, and together they must not bring the watchdog.
        self._link.find()
        self._idle(0)
        self._connect()
        self._idle(0)
        self._presence.say()
        if not self._subscribe(self._presence.topic):
            self._presence.heard = True  # nobody will ever tell us
        self._subscribe(self._command_topic)
        if again:
            self._journal.note("net_back")
        self._beat_for_ever()

    def _subscribe(self, topic):
        """True; False when the broker does not allow it: proof of life matters more than being told things."""
        self._idle(0)
        try:
            self._link.subscribe(topic)
            return True
        except Refused as error:
            self._log("link: %s: %s" % (topic.decode(), error))
            return False

    def _find_time(self):
        """In the year 2000 every certificate is of the future: ask NTP, or else take the last time that was known."""
        board = self._board
        until_ms = board.uptime_ms + CLOCK_MS
        while not board.set_clock() and board.uptime_ms < until_ms:
            self._idle(POLL_MS)
        if board.epoch() is None and board.guess_clock():
            self._log("clock: nobody tells the time; certificates are judged by the last one known")

    def _connect(self):
        gc.collect()  # TLS wants its buffers in one piece
        conn = self._conn + 1
        self._loading = False
        try:
            self._link.connect(self._presence.topic, self._presence.will(conn))
        finally:
            # A number the broker may have seen in a will is never used again; an attempt that did not get as
            # far as the broker takes none.
            if self._link.greeted:
                self._conn = conn
                self._presence.begin(conn)
        self._refusals = 0
        self._keys.accepted()
        self._log("link: connected to %s:%d, connection %d" % (self._config.host, self._config.port, conn))

    def _beat_for_ever(self):
        board = self._board
        interval_ms = self._config.interval_s * 1000
        next_beat = time.ticks_ms()
        while True:
            if self._edge:
                self._tell_mains()
            if time.ticks_diff(time.ticks_ms(), next_beat) >= 0:
                self._beat()
                next_beat = time.ticks_add(next_beat, interval_ms)
                if time.ticks_diff(time.ticks_ms(), next_beat) >= 0:  # we stood still: no burst to catch up
                    next_beat = time.ticks_add(time.ticks_ms(), interval_ms)
            self._link.poll()
            self._presence.tend()
            self._idle(0)
            if self._edge:  # nothing below is as urgent
                continue
            if self._presence.denied and not self._proved:
                self._set_up(self._presence.complaint)
            if self._presence.heard:
                self._confirm()
            self._serve()
            board.set_clock()
            self._show()
            self._idle(LOADING_POLL_MS if self._loading else POLL_MS)

    def _beat(self):
        self._board.tick()
        self._seq += 1
        payload = payloads.heartbeat(
            self._board,
            self._conn,
            self._seq,
            self._config.interval_s,
            self._net.rssi(),
            self._senses.mains,
            self._senses.volts,
        )
        # QoS 0: a lost one is made good by the next, and poll() notices a link that takes them and is dead.
        self._link.publish(self._heartbeat_topic, payload, retain=True)

    def _tell_mains(self):
        """The last gasp, or the end of it: first what makes the alert, then what can wait."""
        edge = self._edge
        if self._senses.mains is False:
            self._presence.say(GASP_MS)
            self._beat()
        else:
            self._beat()  # a status says no word of the mains: the heartbeat is the proof
            self._presence.say()
        if self._edge is edge:  # else there was another meanwhile
            self._edge = None

    def _note_mains(self):
        """Into the journal what was not told, or not for certain."""
        edge = self._edge
        if edge and edge[0]:
            self._journal.note(edge[0], True, edge[1])
            edge[0] = None

    def _confirm(self):
        """All is well: what was on trial is kept."""
        if self._orders.updater.trial:
            self._orders.updater.confirm()
        if not self._remembered:
            self._remembered = self._proved = True
            store.write("proved", b"1")
            checked.remember()

    def _serve(self):
        """Orders, answers, journal: whatever comes after the beats."""
        self._orders.obey()
        updater = self._orders.updater
        ready = updater.tick()
        if updater.active and not self._loading:
            self._subscribe(self._update_topic)
        self._loading = updater.active
        self._orders.tell(self._report)
        if ready or self._orders.reboot:
            self._goodbye()
            self._board.reset()
        batch = self._journal.batch()
        if batch:
            self._link.publish(payloads.topic(self._config.device_id, "journal"), batch, qos=1)
            self._journal.sent()

    def _report(self, fields):
        payload = payloads.report(self._board, fields)
        self._link.publish(payloads.topic(self._config.device_id, "report"), payload, qos=1)
        self._idle(0)

    def _on_message(self, topic, payload):
        # Called in the middle of umqtt's reading: only take note. Publishing here would recurse.
        if topic == self._presence.topic:
            self._presence.hear(payload)
        elif topic == self._command_topic:
            self._orders.take(payload)
        elif topic == self._update_topic:
            self._orders.updater.chunk(payload)

    def _on_wait(self):
        # Between two looks for an answer, ten seconds long at worst: more than a capacitor has.
        if self._see():
            if self._senses.mains is False:
                self._presence.gasp(GASP_MS)
        elif self._edge and self._board.uptime_ms - self._edge[1] >= KEEP_MS:
            self._note_mains()

    def _goodbye(self):
        """Say that the silence to come is meant."""
        if self._link.connected:
            try:
                if self._link.torn:
                    self._connect()
                self._presence.say_goodbye()
                self._link.disconnect()
                self._log("link: said goodbye")
            except Exception as error:
                self._log("link: no goodbye: %s" % error)
        self._link.drop()
        self._log("stopped")

    def _back_off(self):
        # Between half of it and all: after an outage a whole town of boards comes back at once.
        delay = BACKOFF_MS[min(self._failures, len(BACKOFF_MS) - 1)] * (256 + os.urandom(1)[0]) // 512
        self._log("link: next attempt in %.1f s" % (delay / 1000))
        until = time.ticks_add(time.ticks_ms(), delay)
        while time.ticks_diff(until, time.ticks_ms()) > 0:
            self._idle(POLL_MS)

    def _idle(self, ms):
        """Wait, with an eye on mains and button; shorter when there is something to tell at once."""
        # The only place that feeds the watchdog, so a step that hangs gets no help.
        self._board.feed()
        until = time.ticks_add(time.ticks_ms(), ms)
        while True:
            self._watch()
            left = time.ticks_diff(until, time.ticks_ms())
            if left <= 0 or self._edge:
                return
            time.sleep_ms(min(left, self._senses.poll_ms))

    def _see(self):
        """Look at mains, button and lamp; True when the mains changed and somebody can be told."""
        self._board.tick()
        senses = self._senses
        if not senses.look():
            return False
        self._note_mains()  # the change before this one
        kind = "mains_back" if senses.mains else "mains_lost"
        self._edge = [kind if senses.was_known else None, self._board.uptime_ms]
        if not self._link.connected:  # there is nothing to hurry for
            self._note_mains()
            self._edge = None
        return self._link.connected

    def _watch(self):
        """What cannot wait for the loop: mains, button, and time that has run out."""
        self._see()
        senses = self._senses
        if senses.set_up:
            senses.set_up = False
            self._set_up("")
        uptime_ms = self._board.uptime_ms
        if self._orders.updater.trial and uptime_ms >= TRIAL_MS:
            self._log("update: the new version was not heard in %d s" % (TRIAL_MS // 1000))
            self._orders.updater.expired()
            self._goodbye()
            self._board.reset()
        if not self._proved and uptime_ms >= FIRST_MS and not self._link.connected:
            self._set_up(self._net.why or self._problem)

    def _set_up(self, text):
        if self.patient and text:
            self._proved = True  # nowhere to go: go on trying
            return
        raise SetUp(text)

    def _show(self):
        if self._presence.denied:
            self._lamp.show("denied")
        elif self._loading:
            self._lamp.show("update")
        else:
            self._lamp.show("battery" if self._senses.mains is False else "online")
