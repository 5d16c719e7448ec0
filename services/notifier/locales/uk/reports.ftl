# Звіти: історія, статистика, тиждень
outage-count = { $count ->
    [one] { $count } відключення
    [few] { $count } відключення
   *[many] { $count } відключень
}
report-off = Без світла { $duration } ({ $share } % часу), { outage-count }.
report-none = Відключень не було.
report-longest = Найдовше — { $duration }.
report-planned = Із них { $count ->
    [one] { $count } планове
    [few] { $count } планові
   *[many] { $count } планових
} ({ $duration }).
report-momentary = Ще { $count ->
    [one] { $count } раз
    [few] { $count } рази
   *[many] { $count } разів
} світло блимнуло.
report-unseen = Ще { outage-count } припало на час, коли Svitlo не стежило; не враховано.
report-unobserved = Svitlo не стежило { $duration }: цей час не враховано.

history-title = 🕘 <b>{ $place }</b> — відключення { $first }–{ $last }
history-none = 🕘 <b>{ $place }</b> — відключень ще не було.
history-no-more = 🕘 <b>{ $place }</b> — давніших відключень немає.
history-line = • { $start }{ $dash }{ $end } · { $duration }
history-open = • { $start } – досі · { $duration }
history-planned = планове
history-confirmed = підтверджено
history-reconstructed = зʼясовано згодом

stats-title-day = 📊 <b>{ $place }</b> — остання доба
stats-title-week = 📊 <b>{ $place }</b> — останні 7 днів
stats-title-month = 📊 <b>{ $place }</b> — останні 30 днів
stats-blind = Даних за цей час немає: Svitlo тоді ще не стежило за цим місцем.
stats-since = Стежимо з { $time }, тож порівняти ще ні з чим.
stats-before-day = Доба перед тим: { $duration }, { outage-count }.
stats-before-week = 7 днів перед тим: { $duration }, { outage-count }.
stats-before-month = 30 днів перед тим: { $duration }, { outage-count }.
stats-before-none-day = Доба перед тим минула без відключень.
stats-before-none-week = 7 днів перед тим минули без відключень.
stats-before-none-month = 30 днів перед тим минули без відключень.
stats-more = Тепер на { $duration } більше.
stats-less = Тепер на { $duration } менше.
stats-same = Тепер стільки ж.
stats-day = Доба
stats-week = Тиждень
stats-month = Місяць

week-title = 📅 <b>{ $place }</b> — { $dates }
week-worst = Найгірший день — { $day }: { $duration }.
week-summary = Без світла { $duration }, { outage-count }
week-summary-none = Відключень не було
week-summary-blind = Svitlo не стежило
week-column = без світла
week-on = світло є
week-off = немає
week-planned = планові роботи
week-blind = не стежили { $duration }
week-nothing = 0
week-no-data = немає даних
week-clock = { $day }: годинник переведено, у добі { $hours } год.
week-list = 📅 <b>Тиждень { $dates }</b>
week-list-line = <b>{ $place }</b>: { $essence }
week-list-more = …і ще місць: { $count }

report-which-history = Історія якого місця?
report-which-stats = Статистика якого місця?
report-which-week = Тиждень якого місця?
report-nowhere = Ви ще ні за чим не стежите. Почати: /start
report-not-here = Цього місця тут не видно.
report-history = 🕘 Історія
report-stats = 📊 Статистика
report-week = 📅 Тиждень
report-older = Давніші ›
report-newer = ‹ Новіші
muted-until = 🔕 { $place }: мовчу до { $time }. Увімкнути раніше: /unmute
muted-not-followed = За цим місцем тут не стежать.
muted-not-allowed = Це можуть лише адміністратори чату.
weekly-on = 📅 Щонеділі о 19:00 надсилатиму підсумок тижня.
    Вимкнути: /weekly off
weekly-off = Підсумок тижня сам більше не надсилатиму.
    Переглянути будь-коли: /week
    Увімкнути знову: /weekly on
weekly-is-on = 📅 Щонеділі о 19:00 надсилаю підсумок тижня.
    /weekly off — не надсилати
    /weekly pin — закріпити тут картинку тижня й оновлювати її щогодини
weekly-is-off = Підсумок тижня щонеділі не надсилаю.
    /weekly on — надсилати
    /weekly pin — закріпити тут картинку тижня й оновлювати її щогодини
weekly-pinned = 📌 Закріплю тут картинку тижня й оновлюватиму її щогодини. Відкріпити: /weekly unpin
weekly-unpinned = Закріпленої картинки тижня тут більше не буде.
weekly-no-pictures = 📅 Не можу закріпити тиждень: у цій групі не можна надсилати фото. Дозвольте це мені (або всім) і повторіть: /weekly pin
weekly-pin-one = Картинку тижня можна закріпити лише там, де стежать рівно за одним місцем, під яким немає інших. Ваші місця: /places
command-history = Останні відключення
command-stats = Скільки було без світла
command-week = Тиждень на картинці
command-weekly = Тиждень щонеділі чи закріплений
