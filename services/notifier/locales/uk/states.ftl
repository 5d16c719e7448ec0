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
