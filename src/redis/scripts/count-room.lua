-- Adds what one process saw in a room to the room's counts, and tells the room's channel, at most so often over all processes and only what has
-- changed; put after channel-log.lua. What was told before with the same sequence is not added again.
-- KEYS[1] pulse (hash: likes, gifts, comments, questions; `poll:<cue>:<option>`, `goal:<cue>`; `mood:<mood>`, fading; `process:<id>`: viewers,
--   when it told so, sequence; told: the counts last published, JSON; toldAt, ms; unsaid: how many of `said` were not published yet)
-- KEYS[2] unique viewers (HyperLogLog)   KEYS[3] votes (hash: `<cue>:<voter>` → option)   KEYS[4] said (list of comments, JSON, the newest last)
-- KEYS[5] asked (zset of topics, fading)   KEYS[6] carts   KEYS[7] usual carts (zsets of products, fading)   KEYS[8] log   KEYS[9] push channel
-- ARGV[1] process   ARGV[2] sequence   ARGV[3] its viewers   ARGV[4] RoomBatch, JSON, its comments as texts; '' for nothing
-- ARGV[5], ARGV[6] heads of the frames stats and comments   ARGV[7] between two frames, ms   ARGV[8] a process that is silent for longer has no
--   viewers, ms   ARGV[9] … and is forgotten, ms   ARGV[10] comments kept   ARGV[11] topics kept   ARGV[12] polls and goals told
-- ARGV[13] life of all of it, ms   ARGV[14], [15], [16] tau of talk, carts and usual carts, ms
-- Returns in how many ms there will be something to tell that has to wait now; 0: nothing.
-- The time is Redis's: processes whose clocks differ would think each other silent.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local pulse = KEYS[1]

-- See decay.ts.
local function faded(kept, weight, tau)
  local level = kept and math.exp(tonumber(kept) - now / tau) or 0
  return string.format('%.17g', math.log(level + weight) + now / tau)
end

local function bump(key, weights, tau, max)
  for member, weight in pairs(weights) do
    redis.call('ZADD', key, faded(redis.call('ZSCORE', key, member), weight, tau), member)
  end
  redis.call('ZREMRANGEBYRANK', key, 0, -max - 1)
end

local function count_vote(number, voter, option, options)
  local field = number .. ':' .. voter
  local before = redis.call('HGET', KEYS[3], field)
  if before == tostring(option) then
    return
  end
  for i = 0, options - 1 do
    redis.call('HSETNX', pulse, 'poll:' .. number .. ':' .. i, 0)
  end
  if before then
    redis.call('HINCRBY', pulse, 'poll:' .. number .. ':' .. before, -1)
  end
  redis.call('HSET', KEYS[3], field, option)
  redis.call('HINCRBY', pulse, 'poll:' .. number .. ':' .. option, 1)
end

local function add_batch(batch)
  for _, name in ipairs({ 'likes', 'gifts', 'comments', 'questions' }) do
    if batch[name] > 0 then
      redis.call('HINCRBY', pulse, name, batch[name])
    end
  end
  for number, gifts in pairs(batch.goals) do
    redis.call('HINCRBY', pulse, 'goal:' .. number, gifts)
  end
  for _, vote in ipairs(batch.votes) do
    count_vote(vote[1], vote[2], vote[3], vote[4])
  end
  for mood, comments in pairs(batch.moods) do
    local field = 'mood:' .. mood
    redis.call('HSET', pulse, field, faded(redis.call('HGET', pulse, field), comments, tonumber(ARGV[14])))
  end
  bump(KEYS[5], batch.topics, tonumber(ARGV[14]), tonumber(ARGV[11]))
  bump(KEYS[6], batch.carts, tonumber(ARGV[15]), tonumber(ARGV[11]))
  bump(KEYS[7], batch.carts, tonumber(ARGV[16]), tonumber(ARGV[11]))
  for _, shopper in ipairs(batch.joined) do
    redis.call('PFADD', KEYS[2], shopper)
  end
  if #batch.said > 0 then
    for _, comment in ipairs(batch.said) do
      redis.call('RPUSH', KEYS[4], comment)
    end
    redis.call('LTRIM', KEYS[4], -ARGV[10], -1)
    redis.call('HINCRBY', pulse, 'unsaid', #batch.said)
  end
end

local mine = 'process:' .. ARGV[1]
local known = redis.call('HGET', pulse, mine)
if ARGV[4] ~= '' and not (known and tonumber(string.match(known, '%d+$')) >= tonumber(ARGV[2])) then
  add_batch(cjson.decode(ARGV[4]))
end
redis.call('HSET', pulse, mine, string.format('%d %.0f %d', ARGV[3], now, ARGV[2]))

-- The counts as they are, in one text.
local fields = redis.call('HGETALL', pulse)
local count, polls, goals, viewers = {}, {}, {}, 0
for i = 1, #fields, 2 do
  local name, value = fields[i], fields[i + 1]
  local cue, option = string.match(name, '^poll:(%d+):(%d+)$')
  if cue then
    polls[cue] = polls[cue] or {}
    polls[cue][tonumber(option) + 1] = value
  elseif string.sub(name, 1, 5) == 'goal:' then
    goals[string.sub(name, 6)] = value
  elseif string.sub(name, 1, 8) == 'process:' then
    local here, seen = string.match(value, '^(%d+) (%d+)')
    if now - seen > tonumber(ARGV[9]) then
      redis.call('HDEL', pulse, name)
    elseif now - seen <= tonumber(ARGV[8]) then
      viewers = viewers + here
    end
  else
    count[name] = value
  end
end

-- { cue = text } of the latest cues as a JSON object.
local function latest(texts)
  local numbers, parts = {}, {}
  for number in pairs(texts) do
    numbers[#numbers + 1] = tonumber(number)
  end
  table.sort(numbers)
  for i = math.max(1, #numbers - ARGV[12] + 1), #numbers do
    local number = string.format('%d', numbers[i])
    local value = texts[number]
    parts[#parts + 1] = '"' .. number .. '":' .. (type(value) == 'table' and '[' .. table.concat(value, ',') .. ']' or value)
  end
  return '{' .. table.concat(parts, ',') .. '}'
end

local stats = string.format('"viewers":%d,"unique":%d,"likes":%d,"gifts":%d,"comments":%d,"questions":%d,"polls":%s,"goals":%s',
  viewers, redis.call('PFCOUNT', KEYS[2]), count.likes or 0, count.gifts or 0, count.comments or 0, count.questions or 0, latest(polls), latest(goals))
local unsaid, wait = tonumber(count.unsaid or 0), 0
if stats ~= count.told or unsaid > 0 then
  wait = math.min(tonumber(ARGV[7]), (count.toldAt or 0) + ARGV[7] - now)
  if wait <= 0 or now < tonumber(count.toldAt or 0) then
    wait = 0
    if unsaid > 0 then
      local comments = redis.call('LRANGE', KEYS[4], -unsaid, -1)
      append(KEYS[8], KEYS[9], ARGV[6], ',"comments":[' .. table.concat(comments, ',') .. ']}', now)
    end
    if stats ~= count.told then
      publish_state(KEYS[8], KEYS[9], ARGV[5], ',' .. stats .. '}')
    end
    redis.call('HSET', pulse, 'told', stats, 'toldAt', string.format('%.0f', now), 'unsaid', 0)
  end
end
for i = 1, 7 do
  redis.call('PEXPIRE', KEYS[i], ARGV[13])
end
return wait
