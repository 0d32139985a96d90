-- A token is refused: what was sent under it since the last evidence may be lost. The copies become
-- batches again, in front of their lanes and in their order, and are no longer counted as
-- delivered. Mixpanel may have taken some of them, so they count as ambiguous.
-- ARGV  token's fingerprint, error, status, most batches
-- Answer  {batches, messages}
local token, said, status, most = ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])
local wrong = expect_kept(token)
if wrong then return wrong end

local function put_back(id)
  local copy = take_kept(id)
  local count = redis.call("LLEN", key("batch:" .. id))
  if not copy or count == 0 then return 0 end
  local line = ORDERED[copy.lane] and copy.destination or nil
  if ORDERED[copy.lane] then redis.call("LPUSH", line_key(copy.lane, line), id) end
  park(id, {
    line = line,
    lane = copy.lane, attempts = 1, failures = 0, deaths = 0, oldest = copy.oldest,
    destination = copy.destination, own = copy.own, replayed = copy.replayed, ambiguous = true,
    present = copy.present, host_ahead = copy.host_ahead,
    error = said, status = status,
  }, STEADY)
  redis.call("HINCRBY", key("totals"), "delivered", -count)
  redis.call("HINCRBY", key("totals"), "delivered:" .. copy.lane, -count)
  tally("returned", count)
  tally("returned:" .. copy.lane, count)
  return count
end

local messages = 0
-- The newest first: each goes in front of those behind it.
local ids = redis.call("ZRANGE", key("kept:" .. token), 0, most - 1, "REV")
for _, id in ipairs(ids) do messages = messages + put_back(id) end
return { #ids, messages }
