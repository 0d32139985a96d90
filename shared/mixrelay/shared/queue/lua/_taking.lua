-- Out of Q, where anyone may push: each message gets its number and the time of its receipt
-- (docs/invariants.md, rules 5, 7). JSON is not read here.
local EMPTY_NOTED_MS = 5000
-- Read before their bytes are counted: one, then more while they turn out to be small, and no more
-- than would fit if each were as large as the largest so far. Of huge ones each is a call.
local CHUNK_OF_LIST = 4

local function expect_list()
  local wrong = expect("list", Q)
  if wrong then return wrong end
  if not string.find(redis.call("GET", key("number")) or "0", "^%d+$") then
    return redis.error_reply("WRONGTYPE key '" .. key("number") .. "' holds no number")
  end
end

-- Those who find nothing look again and again: their sight of it is written down now and then.
local function note_empty(taken)
  local noted = taken == 0 and tonumber(redis.call("GET", key("empty_at")) or nil)
  if not noted or noted > NOW or NOW - noted >= EMPTY_NOTED_MS then
    redis.call("SET", key("empty_at"), NOW)
  end
end

-- The lane of a message. Most begin alike: what one beginning says is looked for once in a call.
local BEGINNING = 24
local lane_of_beginning = {}
local function lane_of(payload)
  local beginning = string.sub(payload, 1, BEGINNING)
  local lane = lane_of_beginning[beginning]
  if lane then return lane end
  lane = kind_word(payload) or "odd"
  -- All of the word must stand there.
  if string.find(beginning, '^%["[%a_/]+"') then lane_of_beginning[beginning] = lane end
  return lane
end

-- The members by lane, which are in no list now: whoever asked puts them into one. As many as he
-- wants of one lane (`wanted`, `enough`) end it early, where there is one.
local function take_out_of_list(most, most_bytes, new_id, partition, wanted, enough)
  redis.call("SETNX", key("id"), new_id)
  local lanes = { event = {}, import = {}, profile_update = {}, group_update = {}, odd = {} }
  local taken, bytes, before = 0, 0, tonumber(redis.call("GET", key("number")) or 0)
  local some, largest = 1, 1
  local tail = string.format(" %d 0 ", NOW)
  while taken < most and bytes < most_bytes and not (wanted and #lanes[wanted] >= enough) do
    local fit = math.max(1, math.floor((most_bytes - bytes) / largest))
    local chunk = redis.call("LPOP", Q, math.min(some, fit, most - taken))
    if not chunk then break end
    some = math.min(some * 2, CHUNK_OF_LIST)
    for i, payload in ipairs(chunk) do
      local lane = lanes[lane_of(payload)]
      lane[#lane + 1] = partition .. "-" .. string.format("%d", before + taken + i) .. tail .. payload
      bytes = bytes + #payload
      largest = math.max(largest, #payload)
    end
    taken = taken + #chunk
  end
  if taken > 0 then redis.call("INCRBY", key("number"), taken) end
  tally("received", taken)
  local left = redis.call("LLEN", Q)
  if left == 0 then note_empty(taken) end
  return lanes, taken, left
end
