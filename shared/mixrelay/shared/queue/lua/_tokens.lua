-- What is known of project tokens, in Q's own slot (docs/internals.md, Proven tokens).
-- A token is named by a fingerprint of its base address and itself; its state is JSON:
--   state      "proven", "refused" or "unproven" (the last proof got no answer)
--   at, since  of the newest evidence; of the first of its kind in a row (ms)
--   masked, base, own         as people see it; own: the worker's setting and not a message's
--   status, error, likelier, elsewhere   of a refusal
--   again, failures           refused, unproven: when it is proven again; how often in a row
--   asked      refused: when a batch last asked
local TOKENS = key("tokens")
local TOKENS_KEPT, TOKENS_EVICTED = 1024, 64
local FORGOTTEN_MS = 3600000    -- a refusal that no batch asked for
local ABANDONED_MS = 150000     -- the same, once another token of the worker's own is proven

local function expect_tokens(name)
  return expect("hash", TOKENS) or expect("string", key("proving:" .. name), key("proofs"))
end

local function token_of(name)
  local token = redis.call("HGET", TOKENS, name)
  return token and cjson.decode(token)
end

local function save_token(name, token) redis.call("HSET", TOKENS, name, cjson.encode(token)) end

-- The one that was least recently heard of, and some more: so that it is done once in a while.
local function evict_tokens()
  if redis.call("HLEN", TOKENS) <= TOKENS_KEPT then return end
  local found = {}
  for name, text in pairs(hash(TOKENS)) do
    local token = cjson.decode(text)
    found[#found + 1] = { name, math.max(token.at, token.asked or 0) }
  end
  table.sort(found, function(one, other) return one[2] < other[2] end)
  for i = 1, TOKENS_EVICTED do redis.call("HDEL", TOKENS, found[i][1]) end
end

-- Refusals that nobody waits for any more: of a former setting, or of a tenant that left.
local function forget_refusals(proven)
  for name, text in pairs(hash(TOKENS)) do
    local token = cjson.decode(text)
    local idle = NOW - (token.asked or token.at)
    local replaced = proven and proven.own and token.own and name ~= proven.name
      and (proven.alone or token.base ~= proven.base or idle > ABANDONED_MS)
    if token.state == "refused" and (replaced or idle > FORGOTTEN_MS) then
      redis.call("HDEL", TOKENS, name)
    end
  end
end

-- The circuits that a refusal opened. What was sent meanwhile waits in numbers: it begins slowly.
local function close_circuits(name)
  for _, destination in ipairs(redis.call("SMEMBERS", key("pauses"))) do
    local pause = redis.call("HMGET", key("pause:" .. destination), "token", "lane")
    if pause[1] == name then
      end_pause(destination)
      if not ORDERED[pause[2]] then save_pace(destination, { limit = 1 }) end
    end
  end
end

-- Nobody sends to these before the token is proven again.
local function open_circuits(name, token, destinations)
  for _, one in ipairs(destinations) do
    local pause = key("pause:" .. one.destination)
    local since = redis.call("HGET", pause, "since")
    redis.call("HDEL", pause, "probe", "probe_until")
    redis.call("HSET", pause, "until", token.again, "failures", token.failures,
      "since", since or NOW, "kind", "configuration", "reason", token.error,
      "status", token.status, "lane", one.lane, "own", token.own and 1 or 0, "token", name)
    redis.call("SADD", key("pauses"), one.destination)
  end
end
