-- The trash: letters that an operator discarded are kept for a time, so that one command restores
-- them. It is bounded by age and bytes; who discards drops the oldest itself where it is over these.
--   trash        hash    number -> the letter's meta as JSON with `discarded`, newline, payload
--   trash:at     zset    numbers by when they were discarded
--   trash:bytes  string  the bytes that the entries take
--   trash:limits hash    age (ms) and bytes, as workers were told last; 0 keeps none
local TRASH, TRASH_AT = key("trash"), key("trash:at")
local TRASH_BYTES, TRASH_LIMITS = key("trash:bytes"), key("trash:limits")
-- Before a worker noted its own; as the settings have it.
local TRASH_MS, TRASH_MOST = 86400000, 67108864
-- What an entry takes in the server beside its text, about.
local TRASH_ENTRY = 250

local function expect_trash()
  return expect("hash", TRASH, TRASH_LIMITS) or expect("zset", TRASH_AT) or expect("string", TRASH_BYTES)
end

local function trash_limits()
  local noted = redis.call("HMGET", TRASH_LIMITS, "age", "bytes")
  return tonumber(noted[1] or TRASH_MS), tonumber(noted[2] or TRASH_MOST)
end

local function trash_bytes() return tonumber(redis.call("GET", TRASH_BYTES) or 0) end

-- What it was, as it was stored; nil where it is there no more.
local function take_from_trash(number)
  local stored = redis.call("HGET", TRASH, number)
  -- First, since it alone can fail: where the text is no number.
  if stored then redis.call("INCRBY", TRASH_BYTES, -(#stored + TRASH_ENTRY)) end
  redis.call("ZREM", TRASH_AT, number)
  redis.call("HDEL", TRASH, number)
  return stored
end

local function put_into_trash(number, text, at)
  redis.call("INCRBY", TRASH_BYTES, #text + TRASH_ENTRY)
  redis.call("HSET", TRASH, number, text)
  redis.call("ZADD", TRASH_AT, at, number)
end

-- The oldest that are over a limit, at most so many; how many went.
local function shrink_trash(age, bytes, most)
  local gone = 0
  for _, number in ipairs(redis.call("ZRANGE", TRASH_AT, 0, most - 1)) do
    local at = tonumber(redis.call("ZSCORE", TRASH_AT, number))
    if trash_bytes() <= bytes and at > NOW - age then break end
    take_from_trash(number)
    gone = gone + 1
  end
  tally("trash_emptied", gone)
  return gone
end

-- Of letters that are about to be taken out.
local function throw_away(letters, payloads, note)
  local age, bytes = trash_limits()
  if age == 0 or bytes == 0 then return end
  for i, letter in ipairs(letters) do
    letter.discarded = { at = NOW, who = note.who, why = note.why, job = note.job }
    put_into_trash(letter.id, cjson.encode(letter) .. "\n" .. payloads[i], NOW)
  end
  shrink_trash(age, bytes, 2 * #letters + 10)
end
