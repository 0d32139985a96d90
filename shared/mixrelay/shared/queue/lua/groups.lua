-- The groups of letters by reason, status and type, within a time: how many, the first and the
-- last burial, and the last one's facts.
-- ARGV  since and until (ms, "" for none)
-- Answer  {name, counted, indexed, within the time, first, last, facts as JSON} for each group;
--         where fewer are indexed than counted, an older program buried some (mend.lua)
local since = ARGV[1] ~= "" and ARGV[1] or "-inf"
local till = ARGV[2] ~= "" and "(" .. ARGV[2] or "+inf"

local groups, counts = {}, redis.call("HGETALL", key("dead:counts"))
for i = 1, #counts, 2 do
  local index = key("dead:group:" .. counts[i])
  local first = redis.call("ZRANGE", index, since, till, "BYSCORE", "LIMIT", 0, 1, "WITHSCORES")
  local last = redis.call("ZRANGE", index, till, since, "BYSCORE", "REV", "LIMIT", 0, 1, "WITHSCORES")
  local sample = last[1] and redis.call("HGET", key("letters"), last[1])
  groups[#groups + 1] = {
    counts[i], tonumber(counts[i + 1]), redis.call("ZCARD", index), redis.call("ZCOUNT", index, since, till),
    first[2] or "", last[2] or "", sample and string.match(sample, "^[^\n]*\n") or "",
  }
end
return groups
