-- Moves tuples from Q to the lane that their type word names (docs/invariants.md, rules 5, 7),
-- each with its number and the time of receipt in front.
-- ARGV  most tuples, most bytes, a random id for a queue that has none, partition
-- Answer  {moved, left in Q}
local wrong = expect_list()
if wrong then return wrong end
raise_schema()
local lanes, taken, left = take_out_of_list(tonumber(ARGV[1]), tonumber(ARGV[2]), ARGV[3], ARGV[4])
for _, lane in ipairs(LANES) do push("RPUSH", key("lane:" .. lane), lanes[lane]) end
return { taken, left }
