-- Marks a batch as being sent, before the first byte: a worker that dies from now
-- on may have delivered it. What was doubtful and is sent once more is counted here
-- (docs/internals.md, The worker).
-- ARGV  batch id, claim, records in it that are not safe to send twice
-- Answer  1, or 0 where the batch is no longer the worker's
local id, claim, doubtful = ARGV[1], ARGV[2], tonumber(ARGV[3])
local state = owned(id, claim)
if not state then return 0 end
if state.ambiguous then tally("ambiguous", doubtful) end
state.ambiguous, state.sending = nil, true
save(id, state)
return 1
