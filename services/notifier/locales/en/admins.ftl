# Targets beside Telegram
target-test =
    ✅ Svitlo: this channel works
    Alerts about the power will come here.
