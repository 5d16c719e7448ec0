# Меню команд
command-subscribe = Стежити за місцем
command-unsubscribe = Перестати стежити
command-status = Де зараз є світло
command-help = Що я вмію
