-- Brings what a cue has for them to many shoppers of a partition, to each at most once: inbox, frame in their log, and the frame to other
-- processes. Put after channel-log.lua. What a viewer costs is one Redis command more or less, so there are two ways: where the caller
-- knows the end of a shopper's log, because it listens there, it says the place that the frame is to have; where that turns out to be
-- taken, or is not known, the frame is made here. (The log's life need not be prolonged where somebody listens: they see to that.)
-- KEYS[1] served: hash shopper → '<epoch>-<offset> <claim>' of what reached them   KEYS[2] … KEYS[4] what the names of inboxes, logs and push
-- channels of the partition begin with; the shopper follows. (All of one slot. Named one by one, they cost the client a third of the call.)
-- ARGV[1] now, ms   ARGV[2] life of served, ms   ARGV[3] life of a new inbox, ms
-- ARGV[4] for each shopper five: shopper, claim ('' for none), the message's bytes, place ('' for unknown), the frame, which ends with the
-- message and `}`; for a place unknown without what says it: <head>,"offer":<message>}
-- Returns lines, one for each: '+' done; '+' and the place and the claim done, where the place was not known; '=' and the same, what reached
-- them before; '!' the place is taken.
local shoppers, pushes = {}, {}
for i = 4, #ARGV, 5 do
  local n = #shoppers + 1
  shoppers[n], pushes[n] = ARGV[i], KEYS[4] .. ARGV[i]
end
local known = redis.call('HMGET', KEYS[1], unpack(shoppers))
-- The caller hands frames to its own sockets. Only where another process listens, too, they need be published. (A node of a cluster does not
-- know of those that listen at its replicas.)
local listening = not NODE and redis.call('PUBSUB', 'SHARDNUMSUB', unpack(pushes))
local results, served = {}, {}

-- Returns the place and the frame, or nothing.
local function log_frame(log, message, id, frame)
  if id == '' then
    local epoch, offset = last_of(log)
    epoch, offset = epoch or new_epoch(log, ARGV[1]), (offset or 0) + 1
    id = epoch .. '-' .. offset
    frame = string.sub(frame, 1, -#message - 11) .. ',"epoch":"' .. epoch .. '","offset":' .. offset .. ',"offer":' .. message .. '}'
    add(log, id, frame)
    return id, frame
  end
  local added = redis.pcall('XADD', log, 'NOMKSTREAM', 'MAXLEN', LOG_FRAMES_MAX, id, 'f', frame)
  if added == id then
    return id, frame
  end
end

for i, shopper in ipairs(shoppers) do
  if known[i] then
    results[i] = '=' .. known[i]
  else
    local at = 4 + (i - 1) * 5
    local claim, wanted, message = ARGV[at + 1], ARGV[at + 3], string.sub(ARGV[at + 4], -ARGV[at + 2] - 1, -2)
    local id, frame = log_frame(KEYS[3] .. shopper, message, wanted, ARGV[at + 4])
    if not id then
      results[i] = '!'
    else
      if redis.call('LPUSH', KEYS[2] .. shopper, message) == 1 then
        redis.call('PEXPIRE', KEYS[2] .. shopper, ARGV[3])
      end
      if not listening or listening[2 * i] > 1 then
        redis.call('SPUBLISH', pushes[i], id .. ' ' .. frame)
      end
      local mark, n = id .. ' ' .. claim, #served
      served[n + 1], served[n + 2] = shopper, mark
      results[i] = wanted == '' and '+' .. mark or '+'
    end
  end
end
if #served > 0 then
  -- A first entry that is too long for a compact hash: in one of those each look-up would go through all before it.
  redis.call('HSETNX', KEYS[1], '', string.rep(' ', 128))
  redis.call('HSET', KEYS[1], unpack(served))
  redis.call('PEXPIRE', KEYS[1], ARGV[2])
end
return table.concat(results, '\n')
