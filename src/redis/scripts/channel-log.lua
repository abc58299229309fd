-- The log of a channel, and its publication; put before each script that sends frames. Log and push channel lie in one slot.
-- The log is a stream of the last frames. An entry's id is <epoch>-<offset>: the epoch is when the log was begun, ms, offsets count from 1
-- without a gap. Field f: the frame, JSON; empty in the entry 0, which only gives a log without frames its epoch.
-- In a cluster field n names the node: another master may lack what the old one had acknowledged, so it begins a new epoch.
-- A message on the push channel is the entry's id, a space and the frame; of a state frame, which no log has, `~` before it.
-- Numbers for Redis are given as text: it would print others by %.17g, at half a microsecond each.
local LOG_FRAMES_MAX, LOG_MS, NODE = '$FRAMES_MAX', '$LOG_MS', $NODE

-- Returns epoch (text), offset and the frame of the last entry; nothing without a log, or when it is another master's.
local function last_of(log)
  local last = redis.call('XREVRANGE', log, '+', '-', 'COUNT', '1')[1]
  if not last or (NODE and last[2][4] ~= NODE) then
    return nil
  end
  local epoch, offset = string.match(last[1], '^(%d+)-(%d+)$')
  return epoch, tonumber(offset), last[2][2]
end

local function add(log, id, frame)
  if NODE then
    redis.call('XADD', log, 'MAXLEN', LOG_FRAMES_MAX, id, 'f', frame, 'n', NODE)
  else
    redis.call('XADD', log, 'MAXLEN', LOG_FRAMES_MAX, id, 'f', frame)
  end
  redis.call('PEXPIRE', log, LOG_MS)
end

-- A new epoch is later than whatever is in the log, whatever the caller's clock says.
local function new_epoch(log, now)
  local last = redis.call('XREVRANGE', log, '+', '-', 'COUNT', '1')[1]
  local before = last and tonumber(string.match(last[1], '^%d+')) or 0
  return string.format('%.0f', math.max(tonumber(now), before + 1))
end

-- Appends the frame <head>,"epoch":"…","offset":…<body> and publishes it. Returns its epoch, its offset and the connections that listened.
local function append(log, push, head, body, now)
  local epoch, offset = last_of(log)
  epoch, offset = epoch or new_epoch(log, now), (offset or 0) + 1
  local id = epoch .. '-' .. offset
  local frame = head .. ',"epoch":"' .. epoch .. '","offset":' .. offset .. body
  add(log, id, frame)
  return epoch, offset, redis.call('SPUBLISH', push, id .. ' ' .. frame)
end

-- Publishes a frame of which only the latest counts: not logged, with the place after which it was made.
local function publish_state(log, push, head, body)
  local epoch, offset = last_of(log)
  epoch, offset = epoch or '0', offset or 0
  return redis.call('SPUBLISH', push, '~' .. epoch .. '-' .. offset .. ' ' .. head .. ',"epoch":"' .. epoch .. '","offset":' .. offset .. body)
end
