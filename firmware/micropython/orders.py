"""What the server asks of a board, and what the board answers."""

import gc
import json

import payloads
import store

MANY = 4  # orders that wait, answers that wait: whoever sends more is no server of ours
IDENTIFY_MS = 15_000


class NoUpdate:
    """What update.Updater is while no update goes on: its code takes heap only when it is needed."""

    trial = False
    active = False
    report = None

    def tick(self):
        return False

    def chunk(self, payload):
        pass


class Orders:
    """Takes commands as they come, carries them out when the main loop has time for it."""

    def __init__(self, config, board, keys, lamp, log):
        self._config = config
        self._board = board
        self._keys = keys
        self._lamp = lamp
        self._log = log
        self.updater = self._make_updater() if _unfinished() else NoUpdate()
        self._waiting = []
        self._answers = []
        self.reboot = False  # asked for, and to be done once the answer is out

    def take(self, payload):
        """A message from the command topic."""
        order = payloads.command(payload)
        if order is not None and len(self._waiting) < MANY:
            # Lists are nothing we know, and a kilobyte of brackets is ten of heap while it waits.
            self._waiting.append({name: value for name, value in order.items() if isinstance(value, (str, int))})

    def obey(self):
        """Carry out what waits."""
        while self._waiting:
            order = self._waiting.pop(0)
            name = order["command"]
            self._log("command: " + name)
            if name == "identify":
                self._lamp.flash("identify", IDENTIFY_MS)
                self.answer(order, "done")
            elif name == "reboot":
                self.reboot = True
                self.answer(order, "done")
            else:
                try:
                    self._obey_signed(name, order)
                except MemoryError:  # the link is worth more; the order may come again
                    gc.collect()
                    self.answer(order, "failed", "not enough memory: restart the board, then order it again")

    def _obey_signed(self, name, order):
        refusal = self._keys.check(order)
        if refusal:
            self._log("command refused: " + refusal)
            self.answer(order, "refused", refusal)
        elif name == "update":
            if isinstance(self.updater, NoUpdate):
                self.updater = self._make_updater()
            self.updater.offer(order)
        else:
            self._append(self._keys.offer(order))

    def answer(self, order, state, text=None):
        """Queue what became of an order; one without a number asks for no answer."""
        if order.get("order"):
            fields = {"order": order["order"], "state": state}
            if text:
                fields["text"] = text
            self._append(fields)

    def _append(self, fields):
        if fields and len(self._answers) < MANY:
            self._answers.append(fields)

    def _make_updater(self):
        from update import Updater

        return Updater(self._config, self._board, self._log)

    def tell(self, publish):
        """Send the answers with publish(fields); one that cannot be sent waits for the next connection."""
        report = self._keys.report
        if report:
            publish(report)
            self._keys.reported()
        report = self.updater.report
        if report:
            publish(report)
            self.updater.reported()
        while self._answers:
            publish(self._answers[0])
            self._answers.pop(0)


def _unfinished():
    """Whether an update is on trial, or its end was not told yet."""
    try:
        state = json.loads(store.read("slots"))
        result = state["result"]
        return bool(state["trial"] or (result and not result.get("told")))
    except Exception:  # None: there never was an update; anything else: damaged, and the launcher has dealt with it
        return False
