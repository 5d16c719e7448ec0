# Reports: history, statistics, week
outage-count = { $count ->
    [one] { $count } outage
   *[other] { $count } outages
}
report-off = Power off for { $duration } ({ $share } % of the time), { outage-count }.
report-none = No outages.
report-longest = The longest: { $duration }.
report-planned = Of them { $count } planned ({ $duration }).
report-momentary = The power also blinked { $count ->
    [one] once
   *[other] { $count } times
}.
report-unseen = Another { outage-count } fell into time that Svitlo did not watch; not counted.
report-unobserved = Svitlo did not watch for { $duration }: that time is not counted.

history-title = 🕘 <b>{ $place }</b> — outages { $first }–{ $last }
history-none = 🕘 <b>{ $place }</b> — no outages so far.
history-no-more = 🕘 <b>{ $place }</b> — no older outages.
history-line = • { $start }{ $dash }{ $end } · { $duration }
history-open = • { $start } – now · { $duration }
history-planned = planned
history-confirmed = confirmed
history-reconstructed = found out later

stats-title-day = 📊 <b>{ $place }</b> — last 24 hours
stats-title-week = 📊 <b>{ $place }</b> — last 7 days
stats-title-month = 📊 <b>{ $place }</b> — last 30 days
stats-blind = Svitlo did not watch this place then, so there is nothing to tell.
stats-since = Watched since { $time }, so there is nothing to compare with yet.
stats-before-day = The 24 hours before: { $duration }, { outage-count }.
stats-before-week = The 7 days before: { $duration }, { outage-count }.
stats-before-month = The 30 days before: { $duration }, { outage-count }.
stats-before-none-day = No outages in the 24 hours before.
stats-before-none-week = No outages in the 7 days before.
stats-before-none-month = No outages in the 30 days before.
stats-more = Now { $duration } more.
stats-less = Now { $duration } less.
stats-same = Now just as much.
stats-day = Day
stats-week = Week
stats-month = Month

week-title = 📅 <b>{ $place }</b> — { $dates }
week-worst = The worst day: { $day }, { $duration }.
week-summary = Power off for { $duration }, { outage-count }
week-summary-none = No outages
week-summary-blind = Svitlo did not watch
week-column = power off
week-on = power on
week-off = off
week-planned = planned work
week-blind = not watched { $duration }
week-nothing = 0
week-no-data = no data
week-clock = { $day }: the clocks changed, the day has { $hours } hours.
week-list = 📅 <b>The week of { $dates }</b>
week-list-line = <b>{ $place }</b>: { $essence }
week-list-more = …and { $count } more

report-which-history = The history of which place?
report-which-stats = The statistics of which place?
report-which-week = The week of which place?
report-nowhere = You are not following any place yet. Begin with /start
report-not-here = This place cannot be seen here.
report-history = 🕘 History
report-stats = 📊 Statistics
report-week = 📅 Week
report-older = Older ›
report-newer = ‹ Newer
muted-until = 🔕 { $place }: silent until { $time }. Turn on earlier: /unmute
muted-not-followed = This place is not followed here.
muted-not-allowed = Only admins of the chat can do that.
weekly-on = 📅 I will send the week every Sunday at 19:00.
    To stop it: /weekly off
weekly-off = I will not send the week by myself any more.
    See it any time: /week
    Turn it on again: /weekly on
weekly-is-on = 📅 I send the week every Sunday at 19:00.
    /weekly off — stop that
    /weekly pin — pin its picture here and redraw it every hour
weekly-is-off = I do not send the week on Sundays.
    /weekly on — send it
    /weekly pin — pin its picture here and redraw it every hour
weekly-pinned = 📌 I will pin the picture of the week here and redraw it every hour. To unpin it: /weekly unpin
weekly-unpinned = There will be no pinned picture of the week here any more.
weekly-no-pictures = 📅 I cannot pin the week here: members may not send photos, and neither may I. Let me (or everybody) send photos, then ask again: /weekly pin
weekly-pin-one = The picture of the week can be pinned only where exactly one place is followed that has none below it. Yours: /places
command-history = The last outages
command-stats = How long the power was off
command-week = A picture of the week
command-weekly = The week on Sundays, or pinned
