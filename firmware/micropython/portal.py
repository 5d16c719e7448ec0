"""Set-up mode: an open access point with a page to enter Wi-Fi and claim code.

Every name leads to the board, so phones find the page by themselves. Nothing here waits for a client.
"""

import binascii
import gc
import os
import select
import socket
import time

import network

import claim
import page
import settings
from web import Client

PATIENCE_MS = 600_000  # without anybody at the page, a board that has a configuration tries that again
AT_MOST_MS = 3_600_000
RESTART_MS = 3_000  # for the last page to reach the phone
CLIENTS = 4
ADDRESS = ("192.168.4.1", "255.255.255.0", "192.168.4.1", "192.168.4.1")


def run(board, lamp, button, log, error=None):
    """Set-up mode until a configuration is saved, then a reset. Returns only where there is no access point."""
    portal = Portal(log, error)
    try:
        try:
            portal.open()
        except Exception as failure:  # the driver raises many kinds
            log("set-up: no access point: %s" % failure)
            return
        lamp.show("setup")
        while not portal.is_over():
            board.feed()
            board.tick()
            lamp.tick()
            if button.tick() == "long":
                log("set-up: left by the button")
                break
            portal.turn()
    except KeyboardInterrupt:
        board.relax()  # somebody is at the console
        raise
    finally:
        portal.close()
    board.reset()


class Portal:
    """The access point, its name server and its page."""

    def __init__(self, log, error=None):
        self._log = log
        self._error = error
        self._token = binascii.hexlify(os.urandom(8)).decode()
        self._current = settings.current() or {}
        self._clients = []
        self._sockets = []
        self._ap = None
        self._saved_at = None
        self._opened_at = self._seen_at = time.ticks_ms()

    def open(self):
        """Look round, then open the access point. OSError where there is none."""
        self._ap = ap = network.WLAN(network.AP_IF)
        self._name = "svitlo-" + binascii.hexlify(ap.config("mac")[-2:]).decode().upper()
        self._scan()
        ap.active(True)
        ap.config(ssid=self._name, security=0)
        ap.ifconfig(ADDRESS)  # also makes its DHCP server name us as the name server
        self._address = ap.ifconfig()[0]
        self._dns = self._listen(socket.SOCK_DGRAM, 53)
        self._http = self._listen(socket.SOCK_STREAM, 80)
        self._http.listen(CLIENTS)
        self._log("set-up: access point %s, page http://%s/" % (self._name, self._address))

    def close(self):
        for client in self._clients:
            client.close()
        for sock in self._sockets:
            sock.close()
        if self._ap is not None:
            try:
                self._ap.active(False)
            except Exception:
                pass

    def is_over(self):
        """A configuration was saved, or nobody comes and there is one to try again."""
        now = time.ticks_ms()
        if self._saved_at is not None:
            return time.ticks_diff(now, self._saved_at) >= RESTART_MS
        if not self._current:
            return False
        if time.ticks_diff(now, self._seen_at) >= PATIENCE_MS or time.ticks_diff(now, self._opened_at) >= AT_MOST_MS:
            self._log("set-up: nobody came, trying again with what there is")
            return True
        return False

    def turn(self, ms=50):
        """Serve who is there; returns after so many milliseconds at the latest."""
        poller = select.poll()
        poller.register(self._dns, select.POLLIN)
        poller.register(self._http, select.POLLIN)
        for client in self._clients:
            poller.register(client.sock, select.POLLOUT if client.answering else select.POLLIN)
        ready = [event[0] for event in poller.poll(ms)]
        try:
            if self._dns in ready:
                self._resolve()
            if self._http in ready:
                self._accept()
        except OSError:  # a caller that was gone already
            pass
        for client in self._clients:
            try:
                client.turn(client.sock in ready)
            except Exception as error:  # OSError, MemoryError: this caller's loss only
                client.close()
                if not isinstance(error, OSError):
                    self._log("set-up: %s" % error)
        if any(client.closed for client in self._clients):
            self._clients = [client for client in self._clients if not client.closed]
            gc.collect()

    def answer(self, request):
        """(status, extra headers, pieces of the body) for a complete request of a client."""
        host = request.headers.get("host", self._address).split(":")[0]
        if host != self._address or request.path != "/":
            if request.path == "/favicon.ico":
                return 404, "", None
            # What phones ask to see whether there is an internet ends here too, and they show the page.
            return 302, "Location: http://%s/\r\n" % self._address, None
        self._seen_at = time.ticks_ms()
        uk = _ukrainian(request)
        wrong = (self._error, "")
        values = {}
        if request.method == "POST" and self._saved_at is None:
            values = request.form()
            wrong = self._post(request, values)
        if self._saved_at is not None:
            return 200, "", lambda: page.saved(uk, self._name)
        device_id = str(self._current.get("device_id", ""))
        # What was typed goes back to who typed it; whoever else is in this open network sees the name at most.
        values = values or self._suggested()
        form = (uk, self._name, self._networks, values, wrong, self._token, device_id)
        return 200, "", lambda: page.form(*form)

    def _post(self, request, form):
        """Take the form; what is wrong with it, and in which field."""
        origin = request.headers.get("origin", "")
        if origin not in ("", "null") and origin.split("/")[-1].split(":")[0] != self._address:
            form.clear()  # another site's: none of it is to stand in our page
        if form.get("t") != self._token:
            return "this page was too old: please save once more", ""
        if form.get("scan"):
            self._scan()
            return "", ""
        try:
            self._save(form)
        except ValueError as error:
            return error.args if len(error.args) > 1 else (str(error), "c")
        except settings.ConfigError as error:
            return "the configuration cannot be used: %s" % error, "c"
        except OSError:
            return "the board's memory is full: nothing was changed", ""
        self._log("set-up: saved")
        self._saved_at = time.ticks_ms()
        return "", ""

    def _save(self, form):
        code = form.get("c", "").strip()
        old = self._current
        data = claim.decode(code) if code or not old else settings.current()
        ca = data.pop("ca", None)
        for key in ("pins", "mains", "pzem", "ethernet"):  # how the board is wired, a claim code does not know
            if key in old and key not in data:
                data[key] = old[key]
        ssid = form.get("o", "").strip() or form.get("s", "")
        if ssid or "ethernet" not in data:
            data["wifi"] = {"ssid": ssid, "password": self._password(ssid, form.get("p", ""))}
            data.pop("ethernet", None)
        settings.save(data, binascii.a2b_base64(ca) if ca else None)

    def _password(self, ssid, password):
        if not ssid:
            raise ValueError("choose a Wi-Fi network or type its name", "s")
        if len(ssid.encode()) > 32:
            raise ValueError("the name of the network is too long", "o")
        if not password:
            if self._wifi().get("ssid") == ssid:
                return self._wifi().get("password", "")
            if any(name == ssid and secured for name, _rssi, secured in self._networks):
                raise ValueError("this network needs a password", "p")
        elif not 8 <= len(password.encode()) <= 64:
            raise ValueError("the Wi-Fi password has 8 to 63 characters", "p")
        return password

    def _scan(self):
        # A station that goes on looking for its network would drag the access point from channel to channel.
        station = network.WLAN(network.STA_IF)
        found = {}
        try:
            station.active(False)
            station.active(True)
            for ssid, _bssid, _channel, rssi, security, _hidden in station.scan():
                try:
                    ssid = ssid.decode()
                except UnicodeError:
                    continue
                if ssid.strip("\0") and (ssid not in found or found[ssid][1] < rssi):
                    found[ssid] = (ssid, rssi, security != 0)
        except Exception as error:
            self._log("set-up: cannot look for networks: %s" % error)
        try:
            station.active(False)
        except Exception:
            pass
        self._networks = sorted(found.values(), key=lambda network: -network[1])[:16]

    def _suggested(self):
        ssid = self._wifi().get("ssid", "")
        return {"s" if any(ssid == network[0] for network in self._networks) else "o": ssid}

    def _wifi(self):
        wifi = self._current.get("wifi")
        return wifi if isinstance(wifi, dict) else {}

    def _listen(self, kind, port):
        sock = socket.socket(socket.AF_INET, kind)
        self._sockets.append(sock)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((self._address, port))
        sock.setblocking(False)
        return sock

    def _resolve(self):
        query, sender = self._dns.recvfrom(512)
        answer = resolve(query, self._address)
        if answer:
            self._dns.sendto(answer, sender)

    def _accept(self):
        sock = self._http.accept()[0]
        if len(self._clients) >= CLIENTS:  # those that say nothing give way first
            oldest = min(self._clients, key=lambda client: (client.answering, client.heard, client.order))
            oldest.close()
            self._clients.remove(oldest)
        self._clients.append(Client(sock, self.answer))


def resolve(query, address):
    """Our answer to a query: ourselves to each A, nothing to other types, None to what is no query."""
    # One question, nothing else asked for: flags without QR and with opcode 0.
    if len(query) < 17 or query[2] & 0xF8 or query[4:6] != b"\0\1":
        return None
    at = 12
    while at < len(query) and query[at]:
        if query[at] > 63:
            return None
        at += query[at] + 1
    end = at + 5
    if at - 12 > 254 or end > len(query):
        return None
    is_a = query[at + 1 : end] == b"\0\1\0\1"
    answer = query[:2] + b"\x85\x80\0\1" + (b"\0\1" if is_a else b"\0\0") + b"\0\0\0\0" + query[12:end]
    if is_a:  # its name is that of the question; forget it after a second
        answer += b"\xc0\x0c\0\1\0\1\0\0\0\1\0\4" + bytes(int(part) for part in address.split("."))
    return answer


def _ukrainian(request):
    wanted = request.query.get("l")
    if wanted in ("uk", "en"):
        return int(wanted == "uk")
    languages = request.headers.get("accept-language", "").lower()
    return int("uk" in languages or "-ua" in languages)
