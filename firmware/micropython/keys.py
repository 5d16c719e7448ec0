"""What lets the board in: its passwords, through a rotation. And whom it obeys: the serial of signed orders."""

import json
import sys

import store

FILE = "keys"
SPARE = "keys2"  # a second copy: without the password of the last rotation nobody lets this board in
MANY = 4  # passwords kept, besides the one in config.json


class Keys:
    """Passwords to try in turn, the server's key, the serial of the last order."""

    def __init__(self, config, log):
        self._log = log
        self._id = config.device_id
        self._key = config.update_key
        self._first = config.password
        self._state = _load(config.device_id)
        self._passwords = [text for text in self._state["passwords"] if isinstance(text, str) and text]
        if config.password not in self._passwords:
            self._passwords.append(config.password)
        if self._state["first"] != config.password:  # config.json has a new one: it comes first
            self._passwords.remove(config.password)
            self._passwords.insert(0, config.password)
        self._at = 0
        self._tried = self._passwords[0]
        self.report = None  # on a rotation that is done, until reported()
        if self._state["rotated"] == "done":
            self.report = self._done()

    @property
    def password(self):
        """The one to connect with. accepted() and refused() speak of the one read last."""
        self._tried = self._passwords[self._at]
        return self._tried

    def refused(self):
        """The broker does not take the password; True if there is another to try next."""
        if self._tried == self._passwords[self._at]:
            self._at = (self._at + 1) % len(self._passwords)
        return len(self._passwords) > 1

    def accepted(self):
        """The broker took the password: it comes first from now on. Writes flash only when that is news."""
        state = self._state
        if self._at == 0 and not (state["rotated"] == "stored" and self._tried == state["fresh"]):
            return
        if self._tried == self._passwords[self._at]:
            self._prefer(self._tried)
        new = dict(state)
        if new["rotated"] == "stored" and self._tried == new["fresh"]:
            new["rotated"] = "done"
        if not self._save(new):
            self._log("keys: the flash is full, the password is not stored as the current one")
        elif new["rotated"] == "done" and state["rotated"] == "stored":
            self.report = self._done()
            self._log("keys: the new password works")

    def reported(self):
        """The report has arrived."""
        if self.report:
            self.report = None
            new = dict(self._state)
            new["rotated"] = "told"
            self._save(new)

    def offer(self, order):
        """A rotation, its MAC already checked: keep the new password beside the others and prefer it; the report."""
        state = self._state
        number = order["order"]
        if state["rotation"] == number:
            return {"order": number, "state": "stored"} if state["rotated"] == "stored" else self._done()
        password = order["password"]
        before = self._passwords
        # The one that works now stays among those kept, however many were offered and never tried.
        self._passwords = [password]
        for text in [self._tried] + before:  # noqa: RUF005 - not in MicroPython
            if text not in self._passwords and len(self._passwords) < MANY:
                self._passwords.append(text)
        if self._first not in self._passwords:
            self._passwords.append(self._first)
        new = dict(state)
        new.update(rotation=number, rotated="stored", fresh=password)
        if not self._save(new):
            self._passwords = before
            return {"order": number, "state": "failed", "text": "the flash is full: the old password stays"}
        self._at = 0
        self.report = None
        self._log("keys: a new password is stored")
        return {"order": number, "state": "stored"}

    def check(self, order):
        """Why a signed order is refused, or None; then its serial is remembered."""
        if not self._key:
            return "this board has no update_key in its config.json"
        import signed  # for the moment: orders are rare, and heap is not

        refusal = signed.refusal(self._key, self._id, order)
        del sys.modules["signed"]
        if refusal:
            return refusal
        state = self._state
        if order["order"] == state["order"]:
            return None
        if order["serial"] <= state["serial"]:
            return "the order is older than the last one"
        new = dict(state)
        new.update(serial=order["serial"], order=order["order"])
        if not self._save(new):
            return "the flash is full: the order cannot be remembered"
        return None

    def _prefer(self, password):
        self._passwords.remove(password)
        self._passwords.insert(0, password)
        self._at = 0

    def _done(self):
        return {"order": self._state["rotation"], "state": "done"}

    def _save(self, new):
        new.update(id=self._id, first=self._first, passwords=self._passwords)
        data = json.dumps(new).encode()
        if not store.write(FILE, data):
            return False
        self._state = new
        store.write(SPARE, data)
        return True


def _load(device_id):
    state = {
        "passwords": [],
        "first": None,
        "serial": 0,
        "order": None,
        "rotation": None,
        "rotated": None,
        "fresh": None,
    }
    for name in (FILE, SPARE):
        try:
            found = json.loads(store.read(name) or b"null")
        except ValueError:
            continue
        if isinstance(found, dict) and found.get("id") == device_id and isinstance(found.get("passwords"), list):
            state.update(found)
            break
    return state
