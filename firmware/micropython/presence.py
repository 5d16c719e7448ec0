"""What the board says of itself on its status topic, and the proof that the broker has taken it."""

import time

import payloads

PROOF_MS = 10_000
DENIED_MS = 60_000
TRIES = 2  # without proof, before the credential is called useless


class Presence:
    """The status of one connection after the other: begin() each with its number."""

    def __init__(self, config, board, senses, link, log):
        self._config = config
        self._board = board
        self._senses = senses
        self._link = link
        self._log = log
        self.topic = payloads.topic(config.device_id, "status")
        self.begin(0)

    def begin(self, conn):
        """A new connection: nothing said, nothing proved."""
        self._conn = conn
        self._said = None
        self._said_at = 0
        self._unheard = 0
        self.called_offline = False  # somebody else's word stands where ours should
        self.heard = False  # the broker has given our own word back to us

    def will(self, conn):
        """What the broker is to say when the connection dies."""
        return payloads.status(self._board, conn, self._config, "lwt")

    def say(self, timeout_ms=None):
        """The birth; on a battery, that the mains is gone. Always the state of now, never an old one."""
        self.called_offline = False
        reason = "mains_lost" if self._senses.mains is False else None
        self._said = payloads.status(self._board, self._conn, self._config, reason)
        self._said_at = time.ticks_ms()
        self._link.publish(self.topic, self._said, retain=True, qos=1, timeout_ms=timeout_ms)

    def gasp(self, timeout_ms):
        """That the mains is gone, in the middle of the wait for the answer to something else."""
        self._link.shout(self.topic, payloads.status(self._board, self._conn, self._config, "mains_lost"), timeout_ms)

    def say_goodbye(self):
        """The silence to come is meant."""
        bye = payloads.status(self._board, self._conn, self._config, "bye")
        self._link.publish(self.topic, bye, retain=True, qos=1)

    def hear(self, payload):
        """A message from the status topic. Only takes note: umqtt is reading."""
        if payload == self._said:
            self.heard = True
            return
        fields = payloads.decode(payload)
        ours = fields.get("boot") == self._board.boot and fields.get("conn") == self._conn
        if fields.get("state") == "offline" and (not ours or fields.get("reason") == "lwt"):
            self.called_offline = True

    def tend(self):
        """Correct a stale word, say again what was not proved.

        MQTT 3.1.1 acknowledges what the broker then throws away: only our own status, read back, is a proof.
        """
        if self.called_offline:
            self._log("status: read offline while alive, corrected")
            self.say()
        if self.heard:
            self._unheard = 0
            return
        wait_ms = PROOF_MS if self._unheard < TRIES else DENIED_MS
        if time.ticks_diff(time.ticks_ms(), self._said_at) >= wait_ms:
            self._unheard += 1
            if self._unheard == TRIES:
                self._log("link: " + self.complaint)
            self.say()

    @property
    def denied(self):
        """Whether the broker takes nothing from us."""
        return self._unheard >= TRIES

    @property
    def complaint(self):
        """What a person has to do about a broker that takes nothing."""
        return "the broker lets %s in, but takes nothing from it: check the account's rights" % self._config.device_id
