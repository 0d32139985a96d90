-- Tells Q's own slot what a move on another partition found out about destinations
-- (docs/internals.md, Partitions). A move is told of once, however often that is repeated.
-- ARGV  the move's op, JSON list of words (_gates.lua), JSON {destination: batches leased in the
--       other partitions}
-- Answer  1, or 0 where it was told before
local op, words = ARGV[1], cjson.decode(ARGV[2])
if answered(op) then return 0 end
for _, word in ipairs(words) do
  local wrong = expect("hash", key("pause:" .. word.destination))
  if wrong then return wrong end
end
leased_elsewhere = cjson.decode(ARGV[3])

local MEANS = {
  accepted = function(word)
    note_held(word.destination, word.held)
    reopen(word)
  end,
  failed = function(word)
    -- It was under way itself, and is parked by now.
    leased_elsewhere[word.destination] = (leased_elsewhere[word.destination] or 0) + 1
    pause_destination(word)
  end,
  released = function(word) release(word.destination, word.id) end,
}
for _, word in ipairs(words) do MEANS[word.what](word) end
answer(op, "told")
return 1
