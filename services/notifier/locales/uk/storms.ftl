# Кілька сповіщень в одному
storm-was-off = 💡 { $place } — світло є; не було { $duration }
storm-was-off-span = Не було з { $start } до { $end }
storm-was-off-times = { $count ->
    [one] Зникало { $count } раз
    [few] Зникало { $count } рази
   *[many] Зникало { $count } разів
}, є з { $end }
storm-earlier = { $count ->
    [1] Раніше світла не було { $duration }
    [one] Раніше світла не було { $count } раз, загалом { $duration }
    [few] Раніше світла не було { $count } рази, загалом { $duration }
   *[many] Раніше світла не було { $count } разів, загалом { $duration }
}
storm-corrected = ✏️ Уточнено: тоді світла не було з { $time }
storm-corrected-over = ✏️ Уточнено: світла не було з { $time } до { $end }
storm-places = { $count ->
    [one] { $count } місце
    [few] { $count } місця
   *[many] { $count } місць
}
storm-off = 🔌 Світла немає: { storm-places }
storm-on = 💡 Світло є: { storm-places }
storm-mixed = ⚡ Без світла { $off } з { $count }
storm-changes = ⚡ Зміни: { storm-places }
storm-area = 🔌 Світла немає одразу в багатьох місцях ({ $count }) з { $time }
storm-area-of = 🔌 { $place } — світла немає з { $time }, місць: { $count }
storm-more = … і ще { storm-places }
storm-morning = 🌙 За тихі години:
