# Conversation: finding a place
hello = 👋 I tell you when the power goes off and when it comes back.
hello-empty = 👋 I tell you when the power goes off and when it comes back.
    There are no public places yet. Ask whoever installed the board for an invitation link.
choose = Choose a place:
choose-or-type = Choose a place, or just type an address:
choose-below = Follow all of it, or a single place?
follow-all = 🔔 Follow all of it
follow-one = 🔔 Follow
follow-gone = That place is gone. Find another: /start
followed = ✅ Following { $place }
followed-already = ✅ Already following { $place }
followed-several = ({ $count ->
    [one] { $count } place
   *[other] { $count } places
})
followed-all = (all of it)
followed-then = I will write as soon as the power goes off or comes back.
not-found = 🔎 There is no such place.
    The link may be out of date. Find a place: /start
found = 🔎 { $count ->
    [one] Found { $count } place. Is this it?
   *[other] Found { $count } places. Choose yours:
}
found-none = 🔎 Nothing found.
    Try something shorter, such as “Shevchenka 12”, or choose from the list.
    A private place opens by its invitation link only.
    Is the power on now: /status
found-none-empty = 🔎 There are no public places yet.
    A private place opens by an invitation link from whoever installed the board.

# State, in conversation
now-on = Power on
now-off = Power off
now-partial = Power on in parts
now-late = The board is silent, waiting
now-backup = On backup power
now-unknown = State unknown
now-maintenance = Maintenance
now-power-on = power on
now-power-off = power off

# My places
places = 📍 { $count ->
    [one] Following { $count } place
   *[other] Following { $count } places
}
places-none = 📍 You are not following any place yet.
    Find one: /start
places-muted = 🔕 All alerts are muted until { $time }. Turn on: /unmute
places-muted-forever = 🔕 All alerts are muted. Turn on: /unmute
left = No longer following { $place }
left-part = { $place } has no settings of its own any more. I still tell you about it, for you follow “{ $above }”.
not-followed = You were not following that place. Yours: /places

# State of all
status-public = You are not following any place yet (/start). Public places:
status-visible = You are not following any place yet (/start). The places you may see:
status-none = Nothing to show yet: there are no public places.
status-more = { $count ->
    [one] …and { $count } more place
   *[other] …and { $count } more places
}

# Buttons
button-back = ‹ Back
button-all = 📋 The whole list
button-settings = ⚙️ Settings
button-mine = 📍 My places
button-add = ➕ Add a place
button-places = ‹ My places
page-back = ‹ Previous
page-next = Next ›

# Misunderstandings
slow-down = Not so fast, please. That was not done: try again in a minute.
stale = This button is out of date. Start here: /places
group-admins-only = Only the admins here can change that.
unknown-command = There is no such command. What I can do: /help
later = The data cannot be reached right now. Try again in a minute.
