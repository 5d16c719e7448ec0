# Conversation
hello = I tell you when the power goes off and when it comes back. Choose what to follow:
hello-empty = I tell you when the power goes off and when it comes back. There are no public places yet: ask whoever installed the board for an invitation link.
help =
    /subscribe — follow a place
    /unsubscribe — stop following one
    /status — where the power is on now
    /help — this text
    
    A private place is added by its invitation word: /subscribe word
followed = ✅ Following { $place }. I will write as soon as the power goes off or comes back.
followed-already = ✅ Already following { $place }.
not-found = There is no such place. Check the name or the invitation, or choose from the list: /subscribe
left = No longer following { $place }.
not-followed = You were not following that place. Yours are here: /unsubscribe
follow-which = Follow which place?
follow-none = There are no public places yet. A private one is added by its invitation word: /subscribe word
leave-which = Stop following which place?
leave-none = You are not following any place. Begin with /subscribe
status-public = You are not following any place yet (/subscribe). Public places:
status-none = Nothing to show yet: there are no public places.
status-more = { $count ->
    [one] …and { $count } more place
   *[other] …and { $count } more places
}
page-back = ‹ Back
page-next = Next ›
later = The data cannot be reached right now. Try again in a minute.
