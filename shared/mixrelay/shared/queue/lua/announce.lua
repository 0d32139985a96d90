-- Notes how many partitions there are, in Q's own slot. What once was one is drained for ever,
-- so the number only grows.
-- ARGV  partitions
-- Answer  how many there ever were
local noted = tonumber(redis.call("GET", key("partitions")) or 1) or 1
local partitions = math.max(tonumber(ARGV[1]), noted)
if partitions > noted then redis.call("SET", key("partitions"), partitions) end
return partitions
