# Сповіщення
alert-late = (із запізненням)
alert-lost = 🔌 { $place } — світла немає з { $time }
alert-lost-before = До того світло було { $duration }
alert-restored = 💡 { $place } — світло є з { $time }
alert-restored-after = Не було { $duration }
alert-retracted = ↩️ { $place } — світло було, не зникало
alert-retracted-network = Повідомлення про { $time } скасовано: плата лише втрачала звʼязок.
alert-retracted-device = Повідомлення про { $time } скасовано: перезапустилася сама плата.
alert-refined = ✏️ { $place } — світла немає з { $time } (уточнено)
alert-refined-over = ✏️ { $place } — без світла з { $time } до { $end } (уточнено)
alert-refined-after = Усього { $duration }
alert-around = { $place }: без світла { $off } з { $count }
alert-around-all = { $place }: без світла всі { $count }
alert-off-now = 🔌 Зараз світла знову немає, з { $time }
alert-missed = 💡 { $place } — світло є; не було з { $start } до { $end }
alert-missed-after = Усього { $duration }. Svitlo тоді не стежило.
alert-unstable = ⚡ { $place } — світло блимає з { $time }
alert-unstable-network = 📶 { $place } — плата зникає зі звʼязку від { $time }
alert-unstable-so-far = Уже { changes }. Про кожну не писатиму, доки не стане стабільно.
alert-stable-on = 💡 { $place } — світло є з { $time }, більше не блимає
alert-stable-off = 🔌 { $place } — світла немає з { $time }, більше не блимає
alert-stable-unknown = ❔ { $place } — стан невідомий
alert-stable-before = { changes } з { $start } до { $end }
alert-stable-off-for = без світла загалом { $duration }
alert-lost-area = Водночас світло зникло ще { $count ->
    [one] в { $count } місці
   *[other] у { $count } місцях
}.
alert-reminder = 🔌 { $place } — світла немає й досі
alert-reminder-since = З { $time }, уже { $duration }
alert-reminders = 🔌 Світла досі немає: { storm-places }
alert-reminders-place = { $place } — з { $time }, уже { $duration }
ask-history = Історія
ask-week = Тиждень
ask-mute = Тиша 8 год
