# Several alerts in one
storm-was-off = 💡 { $place } — power on; it was off for { $duration }
storm-was-off-span = Off from { $start } to { $end }
storm-was-off-times = Off { $count ->
    [one] { $count } time
   *[other] { $count } times
}, on since { $end }
storm-earlier = { $count ->
    [1] Earlier it was off for { $duration }
   *[other] Earlier it was off { $count } times, for { $duration } in all
}
storm-corrected = ✏️ Correction: it was off from { $time }
storm-corrected-over = ✏️ Correction: it was off from { $time } to { $end }
storm-places = { $count ->
    [one] { $count } place
   *[other] { $count } places
}
storm-off = 🔌 Power off: { storm-places }
storm-on = 💡 Power on: { storm-places }
storm-mixed = ⚡ Power off in { $off } of { $count }
storm-changes = ⚡ Changes: { storm-places }
storm-area = 🔌 Power off in many places at once ({ $count }) since { $time }
storm-area-of = 🔌 { $place } — power off since { $time }, places: { $count }
storm-more = … and { storm-places } more
storm-morning = 🌙 During the quiet hours:
