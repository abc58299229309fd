-- Does what is due: claims that nobody redeemed in time expire, groups that did not fill are released as a whole, shares
-- whose purchase can no longer be refunded are rewarded, and what ended long ago is forgotten.
-- KEYS, record: see claim-record.lua   ARGV[1] now (ms)   ARGV[2] claims to look at, at most
-- Returns how many were looked at.
local now = ARGV[1]
local due = redis.call('ZRANGEBYSCORE', KEYS[3], '-inf', now, 'LIMIT', 0, ARGV[2])
if #due == 0 then
  return 0
end
local terms = limits()

local function reward(claim)
  claim.status, claim.expires = 'c', now + terms.ttl
  write(claim, claim.expires)
  log(claim)
end

-- All members at once: nobody is left with a part of a group.
local function fail_group(group, list)
  redis.call('HDEL', KEYS[1], 'g:' .. group)
  for id in string.gmatch(list, '%w+') do
    give_back(read(id), 'l', now, terms.kept)
  end
end

local function settle(claim)
  local list = claim.role == 'g' and string.match(redis.call('HGET', KEYS[1], 'g:' .. claim.link) or '', '^%d+\n(.*)$')
  if list then
    fail_group(claim.link, list)
  elseif claim.status == 'h' and string.find(claim.bought, '^%d') then
    local sharer = read(claim.link)
    reward(claim)
    if sharer and sharer.status == 'h' and sharer.link == claim.id then
      reward(sharer)
    end
  else
    leave(claim)
    give_back(claim, 'e', now, terms.kept)
  end
end

for _, id in ipairs(due) do
  -- Read now: the one before may have settled this one along with it.
  local claim = read(id)
  local score = tonumber(redis.call('ZSCORE', KEYS[3], id))
  if not claim then
    redis.call('ZREM', KEYS[3], id)
  elseif score <= tonumber(now) then
    if claim.status ~= 'h' and claim.status ~= 'c' then
      redis.call('HDEL', KEYS[1], 'c:' .. id, 'k:' .. claim.key)
      redis.call('ZREM', KEYS[3], id)
    elseif tonumber(claim.expires) > tonumber(now) then
      redis.call('ZADD', KEYS[3], claim.expires, id)
    else
      settle(claim)
    end
  end
end
return #due
