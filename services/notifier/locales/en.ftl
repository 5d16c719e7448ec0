# Durations: the two largest units
duration-days = { $days ->
    [one] { $days } day
   *[other] { $days } days
}
duration-hours = { $hours } h
duration-minutes = { $minutes } min
duration-seconds = { $seconds } s

# How often the power came or went
changes = { $count ->
    [one] { $count } change
   *[other] { $count } changes
}

# Alerts
alert-late = (late)
alert-lost = 🔌 { $place } — power off since { $time }
alert-lost-before = Before that it was on for { $duration }
alert-restored = 💡 { $place } — power on since { $time }
alert-restored-after = It was off for { $duration }
alert-retracted = ↩️ { $place } — power was on after all
alert-retracted-network = The message about { $time } is withdrawn: the board had only lost its connection.
alert-retracted-device = The message about { $time } is withdrawn: the board itself restarted.
alert-refined = ✏️ { $place } — correction: power off since { $time }
alert-refined-over = ✏️ { $place } — correction: power was off from { $time } to { $end }
alert-refined-after = { $duration } in all
alert-missed = 💡 { $place } — power on; it was off from { $start } to { $end }
alert-missed-after = { $duration } in all. Svitlo was not watching then.
alert-unstable = ⚡ { $place } — on and off since { $time }
alert-unstable-network = 📶 { $place } — board unreachable on and off since { $time }
alert-unstable-so-far = { changes } so far. I will not report each one until the power is stable.
alert-stable-on = 💡 { $place } — power on since { $time }, stable again
alert-stable-off = 🔌 { $place } — power off since { $time }, stable now
alert-stable-unknown = ❔ { $place } — state unknown
alert-stable-before = { changes } between { $start } and { $end }
alert-stable-off-for = off for { $duration } in all

# States
state-on = 💡 { $place } — power on
state-off = 🔌 { $place } — power off
state-partial = 🌗 { $place } — power on in parts
state-late = ⏳ { $place } — the board is silent, waiting
state-backup = 🔋 { $place } — on backup power
state-unknown = ❔ { $place } — state unknown
state-maintenance = 🛠 { $place } — maintenance
state-since = since { $time } ({ $duration })
state-children = { $off } of { $total } without power
power-on = Power on
power-off = Power off
cause-presumed = The board stopped answering; the cause is not confirmed yet.
cause-power = Confirmed: the mains went off.
cause-network = It seems only the board's connection is gone.
cause-device = It seems the board itself is at fault.

# Conversation
hello = I tell you when the power goes off and when it comes back. Choose what to follow:
hello-empty = I tell you when the power goes off and when it comes back. There are no public places yet: ask whoever installed the board for an invitation link.
help =
    /subscribe — follow a place
    /unsubscribe — stop following one
    /status — where the power is on now
    /help — this text
    
    A private place is added by its invitation word: /subscribe word
followed = ✅ Following { $place }. I will write as soon as the power goes off or comes back.
followed-already = ✅ Already following { $place }.
not-found = There is no such place. Check the name or the invitation, or choose from the list: /subscribe
left = No longer following { $place }.
not-followed = You were not following that place. Yours are here: /unsubscribe
follow-which = Follow which place?
follow-none = There are no public places yet. A private one is added by its invitation word: /subscribe word
leave-which = Stop following which place?
leave-none = You are not following any place. Begin with /subscribe
status-public = You are not following any place yet (/subscribe). Public places:
status-none = Nothing to show yet: there are no public places.
status-more = { $count ->
    [one] …and { $count } more place
   *[other] …and { $count } more places
}
page-back = ‹ Back
page-next = Next ›
later = The data cannot be reached right now. Try again in a minute.

# The menu of commands
command-subscribe = Follow a place
command-unsubscribe = Stop following a place
command-status = Where the power is on now
command-help = What I can do
