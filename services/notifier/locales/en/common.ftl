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
