# Тривалість: дві найбільші одиниці
duration-days = { $days ->
    [one] { $days } день
    [few] { $days } дні
   *[many] { $days } днів
}
duration-hours = { $hours } год
duration-minutes = { $minutes } хв
duration-seconds = { $seconds } с

# Скільки разів світло зникало чи зʼявлялося
changes = { $count ->
    [one] { $count } зміна
    [few] { $count } зміни
   *[many] { $count } змін
}
