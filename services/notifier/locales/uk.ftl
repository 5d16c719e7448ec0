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

# Сповіщення
alert-late = (із запізненням)
alert-lost = 🔌 { $place } — світла немає з { $time }
alert-lost-before = До того світло було { $duration }
alert-restored = 💡 { $place } — світло є з { $time }
alert-restored-after = Не було { $duration }
alert-retracted = ↩️ { $place } — світло не зникало
alert-retracted-network = Повідомлення про { $time } скасовано: плата лише втрачала звʼязок.
alert-retracted-device = Повідомлення про { $time } скасовано: перезапустилася сама плата.
alert-refined = ✏️ { $place } — уточнено: світла немає з { $time }
alert-refined-over = ✏️ { $place } — уточнено: світла не було з { $time } до { $end }
alert-refined-after = Усього { $duration }
alert-missed = 💡 { $place } — світло є; не було з { $start } до { $end }
alert-missed-after = Усього { $duration }. Svitlo тоді не стежило.
alert-unstable = ⚡ { $place } — світло блимає з { $time }
alert-unstable-network = 📶 { $place } — звʼязок із платою зривається з { $time }
alert-unstable-so-far = Уже { changes }. Про кожну не писатиму, доки не стане стабільно.
alert-stable-on = 💡 { $place } — світло є з { $time }, більше не блимає
alert-stable-off = 🔌 { $place } — світла немає з { $time }, більше не блимає
alert-stable-unknown = ❔ { $place } — стан невідомий
alert-stable-before = { changes } з { $start } до { $end }
alert-stable-off-for = без світла загалом { $duration }

# Стан
state-on = 💡 { $place } — світло є
state-off = 🔌 { $place } — світла немає
state-partial = 🌗 { $place } — світло є не всюди
state-late = ⏳ { $place } — плата мовчить, чекаємо
state-backup = 🔋 { $place } — резервне живлення
state-unknown = ❔ { $place } — стан невідомий
state-maintenance = 🛠 { $place } — технічні роботи
state-since = з { $time } ({ $duration })
state-children = Без світла { $off } з { $total }
power-on = Світло є
power-off = Світла немає
cause-presumed = Плата перестала відповідати; причину ще не підтверджено.
cause-power = Підтверджено: зникло живлення.
cause-network = Схоже, зник лише звʼязок із платою.
cause-device = Схоже, справа в самій платі.

# Розмова
hello = Я повідомляю, коли зникає і повертається світло. Оберіть, за чим стежити:
hello-empty = Я повідомляю, коли зникає і повертається світло. Відкритих місць поки немає: попросіть посилання-запрошення у того, хто встановив плату.
help =
    /subscribe — стежити за місцем
    /unsubscribe — перестати стежити
    /status — де зараз є світло
    /help — ця підказка
    
    Приватне місце додається словом-запрошенням: /subscribe слово
followed = ✅ Стежу: { $place }. Напишу, щойно світло зникне чи зʼявиться.
followed-already = ✅ Уже стежу: { $place }.
not-found = Такого місця немає. Перевірте назву або запрошення, чи оберіть зі списку: /subscribe
left = Більше не стежу: { $place }.
not-followed = За цим місцем ви й не стежили. Ваші місця: /unsubscribe
follow-which = За чим стежити?
follow-none = Відкритих місць поки немає. Приватне додається словом-запрошенням: /subscribe слово
leave-which = За чим більше не стежити?
leave-none = Ви ні за чим не стежите. Почати: /subscribe
status-public = Ви ще ні за чим не стежите (/subscribe). Відкриті місця:
status-none = Показати поки нічого: відкритих місць немає.
status-more = { $count ->
    [one] …і ще { $count } місце
    [few] …і ще { $count } місця
   *[many] …і ще { $count } місць
}
page-back = ‹ Назад
page-next = Далі ›
later = Зараз не виходить дістатися до даних. Спробуйте за хвилину.

# Меню команд
command-subscribe = Стежити за місцем
command-unsubscribe = Перестати стежити
command-status = Де зараз є світло
command-help = Що я вмію
