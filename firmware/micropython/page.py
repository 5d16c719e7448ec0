"""The page of set-up mode, in English and Ukrainian, made in small pieces. Whatever comes from the air is escaped."""

HEAD = """<!doctype html><html lang=%s><meta charset=utf-8>
<meta name=viewport content="width=device-width,initial-scale=1"><title>Svitlo</title><style>
*{box-sizing:border-box}body{margin:0 auto;max-width:30em;padding:1.2em;font:1.05em/1.45 system-ui,sans-serif;
background:#f6f4ee;color:#222}header{display:flex;gap:.6em;align-items:baseline;margin-bottom:1em}
header b{font-size:1.5em}header a{margin-left:auto}a{color:#0b57a4;padding:.3em 0}
label{display:block;margin:1em 0 0;font-weight:600}small{display:block;color:#5a564d;font-weight:400}
select,textarea,[type=text],[type=password]{display:block;width:100%%;margin-top:.3em;padding:.65em;font:inherit;
font-weight:400;background:#fff;color:#222;border:1px solid #8b8678;border-radius:.5em}
textarea{font:.85em/1.3 monospace}
.r{display:flex;align-items:center;gap:.5em;font-weight:400;margin-top:.5em}.r input{width:1.3em;height:1.3em}
button{font:inherit;padding:.5em .9em;margin-top:.5em;border:1px solid #8b8678;border-radius:.5em;background:#fff;
color:#222}.g{width:100%%;padding:.8em;margin-top:1.6em;background:#0b57a4;color:#fff;border:0;font-weight:600}
.x{outline:.15em solid #b3261e}.e::first-letter{text-transform:uppercase}
.e,.d{padding:.8em;border-radius:.5em;background:#fde3dd;border-left:.4em solid #b3261e}
.d{background:#dff1e0;border-color:#2a7a36}</style><header><b>Svitlo</b> %s <a href="/?l=%s">%s</a></header>
"""

# One row for each text: English, Ukrainian.
OTHER = ("Українською", "English")
CHOOSE = ("choose", "виберіть")
NETWORK = ("Wi-Fi network", "Мережа Wi-Fi")
NONE = ("none found", "жодної не знайдено")
AGAIN = ("Search again", "Шукати ще раз")
TYPED = ("or its name", "або її назва")
TYPED_HINT = (
    "if it is hidden or not in the list; 2.4 GHz only",
    "якщо вона прихована або її немає у списку; лише 2,4 ГГц",
)
PASSWORD = ("Wi-Fi password", "Пароль Wi-Fi")
PASSWORD_KEPT = ("empty: as before, for the same network", "порожньо: як раніше, для тієї самої мережі")
SHOW = ("show it", "показати")
CODE = ("Claim code", "Код прив’язки")
CODE_HINT = (
    "begins with svitlo1; the server prints it: svitlo device claim ID",
    "починається з svitlo1; його друкує сервер: svitlo device claim ID",
)
CODE_KEPT = ("empty: the board stays %s", "порожньо: плата лишається %s")
SAVE = ("Save", "Зберегти")
OPEN = ("open", "відкрита")
SAVED = (
    "Saved. The board restarts now, and this network goes away.",
    "Збережено. Плата перезапускається, ця мережа зникне.",
)
LAMP = (
    "In a minute its lamp should give one short flash every five seconds: it is connected. If the network %s appears "
    "again, open it: this page will say what was wrong.",
    "За хвилину її лампочка має коротко спалахувати раз на п’ять секунд: вона на зв’язку. Якщо мережа %s з’явиться "
    "знову, відкрийте її: ця сторінка скаже, що не так.",
)

# What the firmware says in English elsewhere.
UKRAINIAN = (
    ("choose a Wi-Fi network or type its name", "виберіть мережу Wi-Fi або введіть її назву"),
    ("the name of the network is too long", "назва мережі задовга"),
    ("the Wi-Fi password has 8 to 63 characters", "пароль Wi-Fi має від 8 до 63 символів"),
    ("this network needs a password", "ця мережа потребує пароля"),
    ("this page was too old: please save once more", "сторінка застаріла: збережіть ще раз"),
    ("the board's memory is full: nothing was changed", "пам’ять плати заповнена: нічого не змінено"),
    ("the claim code is missing", "бракує коду прив’язки"),
    ("this is no claim code: one begins with svitlo1", "це не код прив’язки: він починається з svitlo1"),
    ("the claim code is from a newer server: ", "код прив’язки від новішого сервера: "),
    ("the firmware has to be updated first", "спершу оновіть прошивку"),
    ("the claim code is incomplete: copy all of it", "код прив’язки неповний: скопіюйте його весь"),
    ("the claim code has a typing error (its checksum is wrong)", "у коді прив’язки помилка (не та контрольна сума)"),
    (": copy it again", ": скопіюйте його ще раз"),
    ("the configuration cannot be used: ", "налаштування непридатні: "),
    ("could not join ", "не вдалося приєднатися до "),
    (": wrong password", ": хибний пароль"),
    (": no such network in reach", ": такої мережі поблизу немає"),
    (": reason ", ": причина "),
    ("refused by the broker: ", "брокер відмовив: "),
    ("wrong user name or password", "хибне ім’я або пароль плати"),
    (", or not authorised", " або немає дозволу"),
)

SCRIPT = """<script>var f=document.f,h=location.hash.slice(1);if(h&&!f.c.value)f.c.value=decodeURIComponent(h);
var s=document.getElementById("s");s.hidden=0;s.firstChild.onclick=function(){f.p.type=this.checked?"text":"password"}
</script>"""


def escape(text):
    """Text as it may stand in HTML, between tags or in a quoted attribute."""
    for char, entity in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ('"', "&quot;"), ("'", "&#39;")):
        text = text.replace(char, entity)
    return text


def tell(text, uk):
    """A message of the firmware in the reader's language, as far as there are words for it."""
    for english, ukrainian in UKRAINIAN if uk else ():
        text = text.replace(english, ukrainian)
    return text


def form(uk, name, networks, values, wrong, token, device_id):
    """The form: networks [(ssid, rssi, secured)], values typed before, wrong (text, field); uk 0 or 1."""

    def mark(field):
        return " class=x aria-invalid=true" if field == wrong[1] else ""

    yield _head(uk, name)
    if wrong[0]:
        yield "<p class=e role=alert>%s</p>" % escape(tell(wrong[0], uk))
    yield '<form method=post action="/?l=%s" name=f autocomplete=off>' % ("en", "uk")[uk]
    # Enter presses the first button; it is not to be the one that searches.
    yield "<input type=hidden name=t value=%s><button hidden></button><label>%s" % (token, NETWORK[uk])
    yield '<select name=s%s><option value="">— %s —</option>' % (mark("s"), (CHOOSE if networks else NONE)[uk])
    for ssid, rssi, secured in networks:
        bars = "▂▄▆█"[: 1 + (rssi > -80) + (rssi > -70) + (rssi > -60)]
        shown = escape(ssid)
        note = "" if secured else " (%s)" % OPEN[uk]
        chosen = " selected" if values.get("s") == ssid else ""
        yield '<option value="%s"%s>%s%s %s</option>' % (shown, chosen, shown, note, bars)
    yield "</select></label><button name=scan value=1>%s</button>" % AGAIN[uk]
    yield "<label>%s<small>%s</small>" % (TYPED[uk], TYPED_HINT[uk])
    yield "<input type=text name=o maxlength=32 autocapitalize=none autocorrect=off spellcheck=false"
    yield '%s value="%s"></label>' % (mark("o"), escape(values.get("o", "")))
    hint = "<small>%s</small>" % PASSWORD_KEPT[uk] if device_id else ""
    yield "<label>%s%s<input type=password name=p maxlength=64" % (PASSWORD[uk], hint)
    yield '%s value="%s"></label>' % (mark("p"), escape(values.get("p", "")))
    yield "<label class=r id=s hidden><input type=checkbox>%s</label>" % SHOW[uk]
    hint = "<small>%s</small>" % (CODE_KEPT[uk] % escape(device_id)) if device_id else ""
    yield "<label>%s<small>%s</small>%s" % (CODE[uk], CODE_HINT[uk], hint)
    yield "<textarea name=c rows=4 maxlength=3600 autocapitalize=none spellcheck=false"
    yield "%s>%s" % (mark("c"), escape(values.get("c", "")))
    yield "</textarea></label><button class=g>%s</button></form>%s" % (SAVE[uk], SCRIPT)


def saved(uk, name):
    """The page after saving."""
    yield _head(uk, name)
    yield "<p class=d role=status>%s</p><p>%s</p>" % (SAVED[uk], LAMP[uk] % name)


def _head(uk, name):
    return HEAD % (("en", "uk")[uk], name, ("uk", "en")[uk], OTHER[uk])
