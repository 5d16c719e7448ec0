# Налаштування місця
card = ⚙️ { $place } — сповіщаю
card-muted = 🔕 { $place } — мовчу до { $time }
card-muted-forever = 🔕 { $place } — мовчу, доки не ввімкнете
card-silent = 🔕 { $place } — не сповіщаю
card-kinds = Про що: { $kinds }
card-length = Відключення: { $length }
card-quiet = Тихі години: { $hours }
card-remind = Нагадування: { $often }
kinds-all = про все
kinds-none = ні про що
kind-lost = світло зникло
kind-restored = світло зʼявилося
kind-revised = уточнення
kind-unstable = блимання
length-any = будь-які
length-over = лише довші за { $duration }
quiet-none = немає
mode-silent = без звуку
mode-hold = зведенням уранці
remind-never = немає
remind-every = { $hours ->
    [1] щогодини, поки немає світла
   *[other] кожні { $duration }, поки немає світла
}

# Екрани
kinds-which = 🔔 { $place }: про що писати?
length-which = ⏱ { $place }: про які відключення писати?
    Про довші напишу, щойно мине обраний час.
quiet-which = 🌙 { $place }: коли не турбувати?
    Зараз: { $hours }.
    Нічого не загубиться: прийде без звуку або зведенням, коли тихі години закінчаться.
quiet-type = 🌙 { $place }: напишіть свої тихі години, наприклад 22:30-06:45.
quiet-type-group = 🌙 { $place }: напишіть тихі години у відповідь на це повідомлення, наприклад 22:30-06:45.
quiet-typed-badly = Не зрозумів. Напишіть так: 22:30-06:45
remind-which = 🔁 { $place }: чи нагадувати, поки немає світла?
mute-which = 🔕 { $place }: скільки мовчати?
    Потім скажу, якщо щось змінилося.
leave-which = { $place }: більше не стежити?
    Ваші налаштування цього місця буде видалено.
leave-part = { $place }: прибрати з ваших місць?
    Писатиму про нього й далі, бо ви стежите за «{ $above }». Окремі налаштування буде видалено.

# Кнопки
pick-kind-lost = Світло зникло
pick-kind-restored = Світло зʼявилося
pick-kind-revised = Уточнення сказаного раніше
pick-kind-unstable = Світло блимає
set-kinds = 🔔 Про що писати
set-length = ⏱ Короткі відключення
set-quiet = 🌙 Тихі години
set-remind = 🔁 Нагадування
set-mute = 🔕 Помовчати
set-unmute = 🔔 Досить мовчати
set-leave = 🗑 Не стежити
pick-length-any = Про будь-які
pick-length = Довші за { $duration }
pick-quiet-none = Без тихих годин
pick-quiet-own = ✏️ Свій час…
pick-silent = Без звуку
pick-hold = Зведенням уранці
pick-remind-never = Не нагадувати
pick-remind = { $hours ->
    [1] Щогодини
   *[other] Кожні { $duration }
}
pick-mute = На { $duration }
pick-mute-until = До { $time }
pick-mute-forever = Доки не ввімкну
pick-leave = 🗑 Так, не стежити
pick-stay = ‹ Ні, стежити далі

# Увесь чат
mute-all-which = 🔕 Скільки мовчати?
    Потім скажу, якщо щось змінилося. Можна й так: /mute 8h
mute-badly = Не зрозумів. Наприклад: /mute 8h, /mute 30m, /mute 2d (до 30 днів)
muted = 🔕 Мовчу до { $time }.
    Потім скажу, якщо щось змінилося. Увімкнути раніше: /unmute
muted-forever = 🔕 Мовчу, доки не ввімкнете: /unmute
unmuted = 🔔 Знову сповіщаю.
unmuted-places = 🔔 Знову сповіщаю: { $places }
unmuted-still = Ще мовчать: { $places } · Увімкнути і їх: /unmute
unmuted-already = 🔔 Я й не мовчу.
language-which = Мова · Language
language-set = 🇺🇦 Говорю українською.
language-unknown = Розмовляю лише українською та англійською. Обрати: /language
zone-now = 🕒 Часовий пояс: { $zone }, зараз { $time }.
    Оберіть інший або напишіть, наприклад Europe/Warsaw:
zone-now-group = 🕒 Часовий пояс: { $zone }, зараз { $time }.
    Оберіть інший або напишіть так: /timezone Europe/Warsaw
zone-set = 🕒 Часовий пояс: { $zone }, зараз { $time }.
zone-unknown = Такого часового поясу не знаю. Приклад: /timezone Europe/Warsaw
forget-ask-chat = 🗑 Видалити все, що я знаю про цей чат?
    А саме: { $what }. Відновити це буде неможливо.
forget-ask-group = 🗑 Видалити все, що я знаю про цю групу?
    А саме: { $what }. Відновити це буде неможливо.
forget-settings = налаштування цього чату
forget-places = { $count ->
    [one] { $count } місце з налаштуваннями
    [few] { $count } місця з налаштуваннями
   *[many] { $count } місць із налаштуваннями
}
forget-messages = { $count ->
    [one] { $count } запис про сповіщення
    [few] { $count } записи про сповіщення
   *[many] { $count } записів про сповіщення
}
forget-roles = { $count ->
    [1] ваша роль у боті
    [one] ваша { $count } роль у боті
    [few] ваші { $count } ролі в боті
   *[many] ваші { $count } ролей у боті
}
forget-last-owner =
    ⚠️ Ви — єдиний власник бота. Без вас ніхто не зможе давати й забирати доступ.
    Щоб спершу передати права: /people → «Дати доступ» → «власник». Або нехай хтось виконає на сервері <code>svitlo bot owner</code> (у Docker Compose: <code>docker compose exec ingest svitlo bot owner</code>) і надішле мені рядок, який там зʼявиться.
forget-owner-sure =
    ⚠️ Справді лишити бота без власника?
    Сповіщення приходитимуть, як і досі. Але ніхто не зможе давати доступ, доки хтось не виконає на сервері <code>svitlo bot owner</code>. Краще спершу передати права: /people
forget-owner-yes = 🗑 Так, без власника
forgotten-last-owner =
    ⚠️ Тепер бот не має власника. Щоб ним стати, виконайте на сервері <code>svitlo bot owner</code> (у Docker Compose: <code>docker compose exec ingest svitlo bot owner</code>) і надішліть мені рядок, який там зʼявиться.
forgotten = 🗑 Видалено: { $what }.
    Почати знову: /start
forget-nothing = Я нічого не зберігаю про цей чат.
forget-yes = 🗑 Так, видалити
forget-no = Ні, залишити
forget-kept = Нічого не видалено.
