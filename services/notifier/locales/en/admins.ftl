# Those who run the bot, and what they see

# Targets beside Telegram
target-test =
    ✅ Svitlo: this channel works
    Alerts about the power will come here.

# In general
admin-help = What you can do:
    /ops — how the bot and the boards are doing
admin-help-change =
    /newsite — add a place
    /newdevice — add a board
    /broadcast — write to everybody who follows
    /correct — correct an outage
admin-help-owner = /people — who may do what
admin-help-cancel = /cancel — stop a conversation
admins-only = This is for those who run the bot; an owner gives access. What I can do for everybody: /help
admins-private = That only in a private chat with me.
viewer-only = You may look, not change: /ops
admin-more = …and { $count } more
cancelled = All right, nothing was changed.
step-gone = That conversation is over. Please start again.
too-long = Too long: { $most } characters at most.
everywhere = all places
no-places = There is no place you may change.
place-type = There are { $count } places: press one, or type part of its name.
place-not-found =
    🔎 None of your places is called that.
    Type something shorter, or leave with /cancel

# People
role-owner = owner
role-admin = admin
role-viewer = viewer
people-title = Who may do what:
people-you = (you)
people-add = ➕ Give access
people-role = Which role?
people-where = For which places? A role covers everything below, too.
people-who = To whom? Send a contact, forward a message of theirs, or write their Telegram number. Or make a one-time link.
people-link = 🔗 One-time link
people-linked = The link works once, for 24 hours. Role: { $role }, { $where }. Forward it to that person:
people-word = Let the person write to me: /start { $word }
people-given = ✅ Access given: { $grant }
    Let that person write /admin to me
people-taken = Access taken away: { $grant }
people-withdrawn = { $count ->
    [one] With it they no longer follow { $count } private place; I am telling them.
   *[other] With it they no longer follow { $count } private places; I am telling them.
}
role-withdrawn = 🔕 Your access has been taken away, so I no longer tell you about these places:
role-unreached = 🔕 Your access no longer covers these places, so I no longer tell you about them:
role-withdrawn-then = To follow such a place again, ask for its invitation link.
people-take-sure = Take this access away? { $grant }
people-take = Take away
people-keep = No, keep it
people-last-owner = This is the last owner: without them nobody could give access. Make somebody else an owner first: /people
people-unknown = I cannot see who that is. Send a contact, a forwarded message or a number (digits only). If the person hides in forwards, make a link.
people-gone = That access is gone already.
word-wrong = That word is not good: it works once, for 24 hours. Ask whoever gave it to you for a new one.
word-taken = ✅ Your role: { $grant }. What you can do: /admin

# A new place
site-name = What is the place called? Write its name, such as “Shevchenka 12”. Changed your mind? /cancel
site-slug = Its short name for links and boards would be { $slug }. All right? Or write another: a–z, digits, hyphen.
site-slug-none = Write a short name for links and boards: a–z, digits, hyphen.
site-slug-good = ✅ All right
site-slug-taken = The name { $slug } is taken. Write another.
site-slug-bad = That will not do: 1 to 48 of a–z, 0–9 and hyphen.
site-name-bad = That will not do: 1 to 120 ordinary characters, in one line.
site-parent = What does it belong to?
site-top = Nothing, it stands alone
site-public = Who may follow it?
site-public-yes = Everybody: it will be listed
site-public-no = By invitation only
site-made = ✅ Place added: { $place } ({ $slug })
site-link = Link for residents: { $link }
site-word = Invitation word: { $word }
site-next = Add a board: /newdevice { $slug }

# A new board
device-where = A board for which place?
device-unknown-site = There is no such place, or it is not yours. Choose from the list.
device-made = ✅ Board { $device } added for { $place }
device-secret =
    Shown once; this message disappears in 10 minutes. Whoever has this can speak as the board: show it to nobody.

    1. Power the board and join its Wi-Fi, svitlo-XXXX.
    2. Its page opens by itself, or at http://192.168.4.1 — choose your own Wi-Fi there.
    3. Paste this code:
    <code>{ $code }</code>

    For a device that is set up by hand:
    Broker: <code>{ $broker }</code>
    User: <code>{ $device }</code>
    Password: <code>{ $password }</code>
device-secret-only =
    Shown once; this message disappears in 10 minutes. Whoever has this can speak as the board: show it to nobody.

    Broker: <code>{ $broker }</code>
    User: <code>{ $device }</code>
    Password: <code>{ $password }</code>

    The code for the board’s page holds a certificate that I do not have. To get it, run on the server:
    <code>svitlo device claim { $device } --tls</code>
    In Docker Compose:
    <code>docker compose exec ingest svitlo device claim { $device } --tls</code>
device-no-secret =
    🔑 The board’s password stays on the server; this bot does not have it. What to do now:

    1. Run on the server (or forward this to whoever can):
    <code>svitlo device claim { $device }</code>
    In Docker Compose:
    <code>docker compose exec ingest svitlo device claim { $device }</code>
    2. Power the board and join its Wi-Fi, svitlo-XXXX.
    3. Its page opens by itself, or at http://192.168.4.1 — choose your own Wi-Fi there and paste the code the command printed.
beat-waiting = ⏳ { $device }: waiting for the first heartbeat… { $waited }
beat-received = ✅ { $device }: heartbeat received { $ago } ago
beat-signal = { $dbm } dBm
beat-none =
    ❌ { $device }: no heartbeat in 10 minutes. Check:
    • that the board has a light on, and power from the right socket;
    • the Wi-Fi's name and password (2.4 GHz only);
    • that the whole code was pasted;
    • that the broker { $broker } can be reached from that network.
    When the board speaks, /ops will show it

# Broadcasts
cast-where = To whom?
cast-everyone = Everybody who follows anything
cast-text = Write the text, up to { $most } characters. Changed your mind? /cancel
cast-preview = { $count ->
    [one] { $count } chat will get it. It will look like this:
   *[other] { $count } chats will get it. It will look like this:
}
cast-nobody = Nobody follows that: there is no one to write to.
cast-go = 📣 Send
cast-no = Do not send
cast-stop = ⏹ Stop
cast-thrown = All right, not sent.
cast-over = That broadcast is over.
cast-sending = 📣 Sending: { $done } of { $total }
cast-done = { $count ->
    [one] ✅ Sent to { $count } chat
   *[other] ✅ Sent to { $count } chats
}
cast-cancelled = { $count ->
    [one] ⏹ Stopped. { $count } chat got it before
   *[other] ⏹ Stopped. { $count } chats got it before
}
cast-failed = Failed: { $count }
cast-dropped = Not sent: { $count }

# Corrections
fix-where = Correct an outage of which place?
fix-which = Which one? These are the latest.
fix-none = No outages are recorded there.
fix-open = goes on since { $time }
fix-still-on = It still goes on. Only what is over can be corrected: come back when the power does. /correct
fix-what = On record: { $span }. What is wrong?
fix-network = There was none: only the internet went
fix-device = There was none: the board failed
fix-times = Other times
fix-ask-times =
    Write when it really began and ended: 14:05–16:20
    If the days differ: 20.11 23:10 – 21.11 01:40
fix-bad-times = I do not understand. Write it like this: 14:05–16:20, or 20.11 23:10 – 21.11 01:40
fix-bad-span = That cannot be: the end must come after the start, and not in the future. Write the times again.
fix-overlap = That overlaps another outage of this place. Write other times, or leave with /cancel
fix-ask-reason = Why? The reason goes into the log; residents do not see it.
fix-preview = Correction: { $place }
fix-before = Was: { $span }
fix-after = Becomes: { $span }
fix-after-network = Becomes: no outage, only the internet went
fix-after-device = Becomes: no outage, the board failed
fix-why = Reason: { $reason }
fix-go = ✅ Correct it
fix-no = Leave it
fix-same = That is what is on record already. Write other times, or leave with /cancel
fix-done = ✅ Corrected. Whoever got the alert gets the correction.
fix-changed = That outage has changed meanwhile. Start again: /correct

# Operation
ops-chats = Chats: { $chats }, out of reach: { $blocked }
ops-queue = { $count ->
    [one] { $count } message queued, the oldest waits { $age }
   *[other] { $count } messages queued, the oldest waits { $age }
}
ops-queue-empty = The queue is empty
ops-failures = Not delivered in the last day:
ops-no-failures = Everything of the last day was delivered
ops-boards = Boards:
ops-no-boards = No boards
ops-board = { $place } ({ $device }): { $ago } ago
ops-board-never = { $place } ({ $device }): never heard
