-- Brings what a cue has for them to many shoppers of a partition, to each at most once: inbox, contact, frame in their log, and the frame
-- to other processes. Put after channel-log.lua.
-- KEYS[1] served: hash shopper → '<epoch>-<offset> <claim>' of what reached them   KEYS[2] … KEYS[5] what the names of inboxes, contacts, logs
-- and push channels of the partition begin with; the shopper follows. (All of one slot. Named one by one, the keys of a viewer cost the
-- client 2.5 µs, a third of the call.)
-- ARGV[1] now, ms   ARGV[2] life of served, ms   ARGV[3] messages an inbox keeps   ARGV[4] its life, ms   ARGV[5] life of contacts, ms
-- ARGV[6] for each shopper five: shopper, claim ('' for none), contact ('' for none), head of the frame, message (JSON)
-- Returns for each what served has: after '+' when this call wrote it, after '=' when it was there.
local now, inbox_max = ARGV[1], tonumber(ARGV[3])
local contacts_from = '(' .. string.format('%.0f', tonumber(now) - tonumber(ARGV[5]))
local shoppers = {}
for i = 6, #ARGV, 5 do
  shoppers[#shoppers + 1] = ARGV[i]
end
local known = redis.call('HMGET', KEYS[1], unpack(shoppers))
local results, served = {}, {}
for i, shopper in ipairs(shoppers) do
  if known[i] then
    results[i] = '=' .. known[i]
  else
    local at = 6 + (i - 1) * 5
    local claim, contact, head, message = ARGV[at + 1], ARGV[at + 2], ARGV[at + 3], ARGV[at + 4]
    local log, push, inbox, contacts = KEYS[4] .. shopper, KEYS[5] .. shopper, KEYS[2] .. shopper, KEYS[3] .. shopper
    local epoch, offset = last_of(log)
    epoch, offset = epoch or new_epoch(log, now), (offset or 0) + 1
    local id = epoch .. '-' .. offset
    local frame = head .. ',"epoch":"' .. epoch .. '","offset":' .. offset .. ',"offer":' .. message .. '}'
    add(log, id, frame)
    if redis.call('LPUSH', inbox, message) > inbox_max then
      redis.call('LTRIM', inbox, '0', tostring(inbox_max - 1))
    end
    redis.call('PEXPIRE', inbox, ARGV[4])
    if contact ~= '' then
      redis.call('ZREMRANGEBYSCORE', contacts, '-inf', contacts_from)
      redis.call('ZADD', contacts, now, contact)
      redis.call('PEXPIRE', contacts, ARGV[5])
    end
    -- The caller hands the frame to its own sockets; only where another process listens, too, it need be published. (A node of a cluster
    -- does not know of those that listen at its replicas.)
    if NODE or redis.call('PUBSUB', 'SHARDNUMSUB', push)[2] > 1 then
      redis.call('SPUBLISH', push, id .. ' ' .. frame)
    end
    local mark, n = id .. ' ' .. claim, #served
    served[n + 1], served[n + 2] = shopper, mark
    results[i] = '+' .. mark
  end
end
if #served > 0 then
  -- A first entry that is too long for a compact hash: in one of those each look-up would go through all before it.
  redis.call('HSETNX', KEYS[1], '', string.rep(' ', 128))
  redis.call('HSET', KEYS[1], unpack(served))
  redis.call('PEXPIRE', KEYS[1], ARGV[2])
end
return results
