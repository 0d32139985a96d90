-- There is evidence for a token: copies of what was sent before it began are not needed any more.
-- ARGV  token's fingerprint, when the evidence began (ms), most batches
-- Answer  how many batches were dropped
local token, began, most = ARGV[1], ARGV[2], tonumber(ARGV[3])
local wrong = expect_kept(token)
if wrong then return wrong end
local ids = redis.call("ZRANGE", key("kept:" .. token), "-inf", "(" .. began, "BYSCORE", "LIMIT", 0, most)
for _, id in ipairs(ids) do drop_kept(id) end
return #ids
