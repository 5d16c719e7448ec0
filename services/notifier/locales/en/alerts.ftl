# Alerts
alert-late = (late)
alert-lost = 🔌 { $place } — power off since { $time }
alert-lost-before = Before that it was on for { $duration }
alert-restored = 💡 { $place } — power on since { $time }
alert-restored-after = It was off for { $duration }
alert-retracted = ↩️ { $place } — power was on after all
alert-retracted-network = The message about { $time } is withdrawn: the board had only lost its connection.
alert-retracted-device = The message about { $time } is withdrawn: the board itself restarted.
alert-refined = ✏️ { $place } — power off since { $time } (corrected)
alert-refined-over = ✏️ { $place } — was off from { $time } to { $end } (corrected)
alert-refined-after = { $duration } in all
alert-around = { $place }: power off in { $off } of { $count }
alert-around-all = { $place }: power off in all { $count }
alert-off-now = 🔌 Now it is off again, since { $time }
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
alert-lost-area = { $count ->
    [one] { $count } other place lost power at the same time.
   *[other] { $count } other places lost power at the same time.
}
alert-reminder = 🔌 { $place } — still off
alert-reminder-since = Since { $time }, { $duration } now
alert-reminders = 🔌 Power still off: { storm-places }
alert-reminders-place = { $place } — since { $time }, { $duration }
ask-history = History
ask-week = Week
ask-mute = Mute 8 h
