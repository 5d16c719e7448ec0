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
