# The menu of commands
command-subscribe = Follow a place
command-unsubscribe = Stop following a place
command-status = Where the power is on now
command-help = What I can do
