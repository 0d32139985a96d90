-- Taking letters out of the dead-letter queue: back to their lanes, or for good.
local DEATHS_KEPT = 20

local function parse_letter(stored)
  local meta, payload = string.match(stored, "^([^\n]*)\n(.*)$")
  return cjson.decode(meta), payload
end

-- The letters among the numbers, from the argument `first` on; each once. With `most` it ends once they
-- have so many bytes. Also answers which argument was the last.
local function find_letters(first, most)
  local letters, payloads, seen, bytes = {}, {}, {}, 0
  for i = first, #ARGV do
    local found = not seen[ARGV[i]] and redis.call("HGET", key("letters"), ARGV[i])
    seen[ARGV[i]] = true
    if found then
      local letter, payload = parse_letter(found)
      letters[#letters + 1], payloads[#letters + 1] = letter, payload
      bytes = bytes + #found
    end
    if most and bytes > most then return letters, payloads, i end
  end
  return letters, payloads, #ARGV
end

-- How many letters were replayed so far: what tells two replays apart, whatever a clock shows.
local function replays_so_far()
  return tonumber(redis.call("HGET", key("totals"), "replayed") or 0)
end

local function past(letter, turn, job)
  local deaths = letter.deaths or {}
  deaths[#deaths + 1] = {
    reason = letter.reason, status = letter.status, error = letter.error, at = letter.dead_since,
    replayed_at = NOW, turn = turn, job = job,
  }
  -- The first death stays; of the rest the newest are kept.
  if #deaths > DEATHS_KEPT then table.remove(deaths, 2) end
  return {
    attempts = letter.attempts, deaths = deaths, edits = letter.edits, original = letter.original,
    imported = letter.imported, requeued_by = job, fixed = letter.fixed,
  }
end

local function take_out(letter)
  redis.call("HDEL", key("letters"), letter.id)
  unindex_letter(letter)
end

-- Letters in the order of their places, whatever order they were chosen in. The server sorts them: Lua
-- takes a hundred times as long, and its < follows the server's locale.
local function by_place(letters)
  local sorting, places, letter_at, sorted = key("sorting"), {}, {}, {}
  for i, letter in ipairs(letters) do
    local place = in_order(letter)
    places[2 * i - 1], places[2 * i], letter_at[place] = 0, place, letter
  end
  redis.call("DEL", sorting)
  push("ZADD", sorting, places)
  for i, place in ipairs(redis.call("ZRANGE", sorting, 0, -1)) do sorted[i] = letter_at[place] end
  redis.call("DEL", sorting)
  return sorted
end

-- Those that go together arrive in the order in which they were pushed. `job`: which counts what
-- becomes of them.
local function replay(letters, payloads, job)
  local payload_of, turn = {}, replays_so_far() + 1
  for i, letter in ipairs(letters) do payload_of[letter.id] = payloads[i] end
  for _, letter in ipairs(by_place(letters)) do
    take_out(letter)
    redis.call("RPUSH", key("lane:" .. letter.lane),
      string.format("%s %d %d ", letter.id, letter.first_seen, letter.replays + 1) .. payload_of[letter.id])
    redis.call("HSET", key("history"), letter.id, cjson.encode(past(letter, turn, job)))
  end
  tally("replayed", #letters)
end

-- note: {who, why, job} where they go into the trash.
local function discard(letters, why, payloads, note)
  if note then throw_away(letters, payloads, note) end
  for _, letter in ipairs(letters) do take_out(letter) end
  tally("discarded", #letters)
  tally("discarded:" .. why, #letters)
end

local function numbers_of(letters)
  local numbers = {}
  for i, letter in ipairs(letters) do numbers[i] = letter.id end
  return numbers
end
