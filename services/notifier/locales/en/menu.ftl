# The menu of commands
command-places = My places and their settings
command-status = Where the power is on now
command-start = Find a place
command-mute = Be quiet for a while
command-language = Language · Мова
command-timezone = Time zone
command-help = What I can do
help =
    💡 I write when the power goes off and comes back.
    
    /start — find a place (or just type an address)
    /places — your places, and what to write about them
    /status — where the power is on now
    /history, /stats, /week — past outages
    /mute 8h — be quiet, /unmute — speak again
    /language, /timezone — language and time
    /link — connect a group or a channel
    /weekly — the week by itself, on Sundays
    /forget — delete all about this chat
    
    A private place opens by an invitation link from whoever installed the board.
help-group =
    💡 I write here when the power goes off and comes back.
    
    /start — find a place
    /places — the places of this group, and what to write about them
    /status — where the power is on now
    /history, /stats, /week — past outages
    /mute 8h — be quiet, /unmute — speak again
    /language, /timezone — language and time
    /weekly — the week by itself, on Sundays
    /forget — delete all about this group
    
    The group’s admins can change these.
