# Settings of a place
card = ⚙️ { $place } — alerts on
card-muted = 🔕 { $place } — muted until { $time }
card-muted-forever = 🔕 { $place } — muted until you turn it on
card-silent = 🔕 { $place } — no alerts
card-kinds = About: { $kinds }
card-length = Outages: { $length }
card-quiet = Quiet hours: { $hours }
card-remind = Reminders: { $often }
kinds-all = everything
kinds-none = nothing
kind-lost = power off
kind-restored = power on
kind-revised = corrections
kind-unstable = flicker
length-any = any
length-over = only over { $duration }
quiet-none = none
mode-silent = without a sound
mode-hold = summed up in the morning
remind-never = none
remind-every = { $hours ->
    [1] every hour while it is off
   *[other] every { $duration } while it is off
}

# Screens
kinds-which = 🔔 { $place }: which alerts do you want?
length-which = ⏱ { $place }: which outages do you want to hear of?
    Of longer ones I write once the chosen time has passed.
quiet-which = 🌙 { $place }: when should I be quiet?
    Now: { $hours }.
    Nothing gets lost: it comes without a sound, or summed up when the quiet hours end.
quiet-type = 🌙 { $place }: type your quiet hours, such as 22:30-06:45.
quiet-type-group = 🌙 { $place }: reply to this message with the quiet hours, such as 22:30-06:45.
quiet-typed-badly = I did not get that. Type it like this: 22:30-06:45
remind-which = 🔁 { $place }: remind you while the power is off?
mute-which = 🔕 { $place }: be quiet for how long?
    Afterwards I tell what has changed.
leave-which = { $place }: stop following?
    The settings you made for this place will be deleted.
leave-part = { $place }: take it off your places?
    I will still tell you about it, for you follow “{ $above }”. Its own settings will be deleted.

# Buttons
pick-kind-lost = Power off
pick-kind-restored = Power on
pick-kind-revised = Corrections of what I said
pick-kind-unstable = Power comes and goes
set-kinds = 🔔 What to tell
set-length = ⏱ Short outages
set-quiet = 🌙 Quiet hours
set-remind = 🔁 Reminders
set-mute = 🔕 Be quiet
set-unmute = 🔔 Speak again
set-leave = 🗑 Stop following
pick-length-any = Any
pick-length = Over { $duration }
pick-quiet-none = No quiet hours
pick-quiet-own = ✏️ Other hours…
pick-silent = Without a sound
pick-hold = In the morning
pick-remind-never = No reminders
pick-remind = { $hours ->
    [1] Every hour
   *[other] Every { $duration }
}
pick-mute = For { $duration }
pick-mute-until = Until { $time }
pick-mute-forever = Until I say
pick-leave = 🗑 Yes, stop
pick-stay = ‹ No, keep following

# The whole chat
mute-all-which = 🔕 Be quiet for how long?
    Afterwards I tell what has changed. You can also write /mute 8h
mute-badly = I did not get that. For example: /mute 8h, /mute 30m, /mute 2d (up to 30 days)
muted = 🔕 Quiet until { $time }.
    Afterwards I tell what has changed. Turn on earlier: /unmute
muted-forever = 🔕 Quiet until you turn me on: /unmute
unmuted = 🔔 Alerts are on again.
unmuted-places = 🔔 Alerts are on again: { $places }
unmuted-still = Still silent: { $places } · Turn on these too: /unmute
unmuted-already = 🔔 I am not muted.
language-which = Language · Мова
language-set = 🇬🇧 Speaking English.
language-unknown = I speak only Ukrainian and English. Choose: /language
zone-now = 🕒 Time zone: { $zone }, now { $time }.
    Choose another or type one, such as Europe/Warsaw:
zone-now-group = 🕒 Time zone: { $zone }, now { $time }.
    Choose another or write it like this: /timezone Europe/Warsaw
zone-set = 🕒 Time zone: { $zone }, now { $time }.
zone-unknown = I do not know that time zone. For example: /timezone Europe/Warsaw
forget-ask-chat = 🗑 Delete all I know about this chat?
    That is: { $what }. It cannot be undone.
forget-ask-group = 🗑 Delete all I know about this group?
    That is: { $what }. It cannot be undone.
forget-settings = the settings of this chat
forget-places = { $count ->
    [one] { $count } place with its settings
   *[other] { $count } places with their settings
}
forget-messages = { $count ->
    [one] { $count } record of an alert
   *[other] { $count } records of alerts
}
forget-roles = { $count ->
    [one] your role in the bot
   *[other] your { $count } roles in the bot
}
forget-last-owner =
    ⚠️ You are the bot’s only owner. Once you are gone, nobody can give or take access.
    To hand over first: /people → Give access → owner. Or have somebody run <code>svitlo bot owner</code> on the server (Docker Compose: <code>docker compose exec ingest svitlo bot owner</code>) and send me the line it prints.
forget-owner-sure =
    ⚠️ Really leave the bot without an owner?
    Alerts go on. But nobody can give access until somebody runs <code>svitlo bot owner</code> on the server. It is better to hand over first: /people
forget-owner-yes = 🗑 Yes, without an owner
forgotten-last-owner =
    ⚠️ The bot has no owner now. To become one: run <code>svitlo bot owner</code> on the server (Docker Compose: <code>docker compose exec ingest svitlo bot owner</code>) and send me the line it prints.
forgotten = 🗑 Deleted: { $what }.
    Begin again: /start
forget-nothing = I keep nothing about this chat.
forget-yes = 🗑 Yes, delete
forget-no = No, keep it
forget-kept = Nothing was deleted.
