"""One MQTT connection: umqtt.simple, unmodified, made robust through the stream it is given (see channel.py).

Here: the will before the connection, pings with a deadline for their answer, packet ids that stay within 16 bits, the
broker's last known address, and one kind of error for whatever goes wrong.
"""

import socket
import time

from channel import Channel, LinkError
from umqtt.simple import MQTTClient, MQTTException

REFUSED = {
    1: "protocol version not supported",
    2: "client id or keepalive not accepted",
    3: "service unavailable",
    4: "wrong user name or password",
    5: "wrong user name or password, or not authorised",
    128: "subscription not allowed",
}


class Refused(LinkError):
    """The broker answered, with a refusal; code is that of the CONNACK (4 and 5: the credential), 128 of a SUBACK."""

    def __init__(self, text, code):
        super().__init__(text)
        self.code = code


class Link:
    """The connection of one device: connect(), then publish() and poll() until one of them raises OSError."""

    def __init__(self, settings, keys, on_message, on_wait):
        self._settings = settings
        self._keys = keys  # whoever knows the password of the moment
        self._on_message = on_message
        self._on_wait = on_wait  # called while an answer is waited for; may shout()
        self._address = None  # the broker's, when it was last found
        self._tls = None
        # A ping goes out each third of the keepalive; one left without an answer for two thirds is the end.
        # So a link that died without a word is noticed in one keepalive, before the broker sends the will.
        self._ping_ms = settings.keepalive_s * 1000 // 3
        self._timeout_ms = min(settings.keepalive_s, 10) * 1000
        self._client = None
        self._channel = None
        self._pinged = 0
        self.connected = False
        self.torn = False  # an operation was interrupted: nothing can be said on this connection any more

    @property
    def greeted(self):
        """Whether the last connect() got as far as the broker, which may have seen the will."""
        return self._channel is not None

    def connect(self, topic, will):
        """Connect with a clean session and a retained QoS 1 will, or raise OSError."""
        self.drop()
        if self._address is None:
            self.find()
        self._channel = None
        self.torn = False
        if self._settings.tls and not self._tls:
            self._tls = _tls_context(self._settings.ca)
        name = self._settings.device_id.encode()
        # The port always explicit: with a truthy ssl umqtt would take 0 for 8883.
        self._client = MQTTClient(
            name,
            self._address,
            self._settings.port,
            user=name,
            password=self._keys.password.encode(),
            keepalive=self._settings.keepalive_s,
            ssl=self,
        )
        self._client.set_callback(self._on_message)
        self._client.set_last_will(topic, will, retain=True, qos=1)
        try:
            self._run(self._client.connect, True, self._timeout_ms / 1000)
        except (OSError, MemoryError):
            self.drop()
            raise
        self.connected = True
        self._pinged = time.ticks_ms()

    def find(self):
        """Look the broker up. Where its name cannot be resolved now it is most likely still where it was."""
        self._channel = None
        try:
            self._address = socket.getaddrinfo(self._settings.host, self._settings.port)[0][-1][0]
        except (OSError, IndexError, TypeError) as error:  # the last two: it has no IPv4 address
            if self._address is None:
                raise LinkError("cannot find %s (%s)" % (self._settings.host, error))

    def wrap_socket(self, raw, server_hostname=None):
        """What umqtt calls on its ssl= object once TCP is up; the certificate is for the name, not the address."""
        stream = raw
        if self._tls:
            raw.settimeout(0)
            stream = self._tls.wrap_socket(raw, server_hostname=self._settings.host, do_handshake_on_connect=False)
        self._channel = Channel(raw, stream, self._timeout_ms, self._on_wait)
        return self._channel

    def publish(self, topic, payload, retain=False, qos=0, timeout_ms=None):
        """Send a message; with QoS 1, return when the broker has it. timeout_ms: a deadline shorter than the usual."""
        self._fresh_id()
        self._run(self._client.publish, topic, payload, retain, qos, timeout_ms=timeout_ms)

    def shout(self, topic, payload, timeout_ms):
        """From on_wait: a retained QoS 0 message past umqtt, which waits for an answer; that is given timeout_ms more.

        QoS 0 asks for no answer, so it disturbs none.
        """
        size = 2 + len(topic) + len(payload)
        packet = bytearray(b"\x31")
        while size > 127:
            packet.append(size & 127 | 128)
            size >>= 7
        packet.append(size)
        self._channel.shout(packet + len(topic).to_bytes(2, "big") + topic + payload, timeout_ms)

    def subscribe(self, topic):
        """Subscribe with QoS 0; Refused when the broker says no."""
        self._fresh_id()
        self._run(self._client.subscribe, topic)

    def poll(self):
        """Take in what has arrived, ping in time, and raise LinkError when an answer is overdue."""
        for _ in range(16):  # a flood must not keep the heartbeats from going out
            count = self._channel.count
            self._run(self._client.check_msg)  # returns None for a ping's answer as for nothing
            if self._channel.count == count:
                break
        now = time.ticks_ms()
        unanswered = self._channel.unanswered
        if unanswered is not None and time.ticks_diff(now, unanswered) >= 2 * self._ping_ms:
            raise LinkError("no answer for %d s" % (self.idle_ms() // 1000))
        if time.ticks_diff(now, self._pinged) >= self._ping_ms:
            self._pinged = now
            self._run(self._client.ping)
            if unanswered is None:
                self._channel.unanswered = now

    def idle_ms(self):
        """Time since the broker was last heard."""
        return time.ticks_diff(time.ticks_ms(), self._channel.received)

    def disconnect(self):
        """Leave cleanly: the broker drops the will."""
        try:
            self._run(self._client.disconnect)
        finally:
            self.drop()

    def drop(self):
        """Close without a word: the broker sends the will."""
        self.connected = False
        client, self._client = self._client, None
        end = client.sock if client else None
        if end:
            try:
                end.abort() if end is self._channel else end.close()
            except OSError:
                pass

    def _fresh_id(self):
        # umqtt counts on past 65535; the wire has 16 bits, and the answer would never match.
        if self._client.pid >= 65535:
            self._client.pid = 0

    def _run(self, operation, *args, timeout_ms=None):
        """Run one operation of umqtt within its deadline; whatever goes wrong is an OSError."""
        if self._client is None:
            raise LinkError("not connected")
        try:
            if self._channel:
                self._channel.begin(timeout_ms)
            result = operation(*args)
            self._channel.flush()
            return result
        except (OSError, MemoryError):
            raise
        except MQTTException as error:
            code = error.args[0]
            raise Refused("refused by the broker: %s (code %s)" % (REFUSED.get(code, "unknown"), code), code)
        except Exception as error:  # IndexError, TypeError, AssertionError: what umqtt makes of a broken stream
            raise LinkError("broken stream (%s)" % type(error).__name__)
        except BaseException:  # Ctrl-C between two bytes: what comes next would be read as the rest of this packet
            self.torn = True
            raise


def _tls_context(ca):
    import tls

    context = tls.SSLContext(tls.PROTOCOL_TLS_CLIENT)
    context.verify_mode = tls.CERT_REQUIRED
    try:
        context.load_verify_locations(ca)
    except ValueError:
        raise LinkError("ca.der is not a certificate in DER form")
    return context
