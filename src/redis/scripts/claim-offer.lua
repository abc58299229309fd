-- Claims an offer: replay, status, window, caps, budget, record and ledger, all or nothing. Three calls and a record where
-- nothing is special about it: what is claimed most is claimed while a crowd is waiting.
-- KEYS, record: see claim-record.lua
-- ARGV[1] lines: now (ms), new claim, its code, key, device, named, shopper   ARGV[2] flags: w, a
--   replay writes too, for WAIT to count; x, the shopper is not eligible
-- $LEDGER_MAX, entries of the ledger from which on nothing is claimed, is set when the script is defined.
-- Returns '+' or, on replay, '=', and the claim and its record in lines; or the reason why not.
local now, id, code, tail = string.match(ARGV[1], '^(%d+)\n(%w+)\n(%w+)\n(.*)$')
local key, device, named, shopper = string.match(tail, '^([^\n]*)\n([^\n]*)\n([^\n]*)\n(.*)$')
local state = redis.call('HMGET', KEYS[1], 'limits', 'money', 'count', 'k:' .. key, 'u:' .. shopper, 'd:' .. device)
if state[4] then
  local record = redis.call('HGET', KEYS[1], 'c:' .. state[4])
  if not record or string.sub(record, -#tail - 1) ~= '\n' .. tail then
    return 'key_reused'
  end
  if ARGV[2] == 'w' or ARGV[2] == 'wx' then
    redis.call('HSET', KEYS[1], 'replayed', now)
  end
  return '=' .. state[4] .. '\n' .. record
end
if not (state[1] and state[2] and state[3]) then
  return 'budget_missing'
end
if ARGV[2] == 'x' or ARGV[2] == 'wx' then
  return 'not_eligible'
end
local active, from, to, money_max, count_max, per_user, per_device, reserve, ttl, kind, size, within, friend_reserve = struct.unpack('<ddddddddddddd', state[1])
local at = tonumber(now)
if active ~= 1 then
  return 'offer_not_active'
end
if at < from or at >= to then
  return 'outside_window'
end
local of_user, of_device = (state[5] or 0) + 1, (state[6] or 0) + 1
if of_user > per_user or (per_device > 0 and device ~= '' and of_device > per_device) then
  return 'cap_reached'
end
local status, role, expires, link, sharer, members = 'c', 'p', at + ttl, '', nil, nil
if kind == 1 then
  status, role, link, expires, members = 'h', 'g', id, at + within, {}
  if named ~= '' then
    local deadline, list = string.match(redis.call('HGET', KEYS[1], 'g:' .. named) or '', '^(%d+)\n(.*)$')
    if not deadline or at >= tonumber(deadline) then
      return 'group_closed'
    end
    for member in string.gmatch(list, '%w+') do
      members[#members + 1] = read(member)
      if members[#members].shopper == shopper then
        return 'cap_reached'
      end
    end
    link, expires = named, tonumber(deadline)
  end
elseif kind == 2 then
  status, role = 'h', 's'
  if named ~= '' then
    sharer = read(named)
    if not sharer or sharer.status ~= 'h' or sharer.role ~= 's' or sharer.link ~= '' or at >= tonumber(sharer.expires) then
      return 'share_closed'
    end
    if sharer.shopper == shopper or (device ~= '' and sharer.device == device) then
      return 'not_eligible'
    end
    role, link, reserve = 'f', named, friend_reserve
  end
end
local money, count = state[2] + reserve, state[3] + 1
if money > money_max or count > count_max then
  return 'offer_exhausted'
end
if redis.call('XLEN', KEYS[2]) >= $LEDGER_MAX then
  return 'backlog_full'
end
local is_full = members and #members + 1 == size
if is_full then
  status, expires = 'c', at + ttl
end
local record = table.concat({ status, role, now, expires, reserve, '', link, '', code, tail }, '\n')
if device == '' then
  redis.call('HSET', KEYS[1], 'money', money, 'count', count, 'k:' .. key, id, 'u:' .. shopper, of_user, 'c:' .. id, record)
else
  redis.call('HSET', KEYS[1], 'money', money, 'count', count, 'k:' .. key, id, 'u:' .. shopper, of_user, 'c:' .. id, record, 'd:' .. device, of_device)
end
redis.call('ZADD', KEYS[3], expires, id)
redis.call('XADD', KEYS[2], '*', 'e', table.concat({ status, id, now, reserve, '', shopper }, '\n'))
if sharer then
  sharer.link, sharer.expires = id, math.max(tonumber(sharer.expires), expires)
  write(sharer, sharer.expires)
elseif is_full then
  for _, member in ipairs(members) do
    member.status, member.expires = 'c', expires
    write(member, expires)
    log(member, now)
  end
  redis.call('HDEL', KEYS[1], 'g:' .. link)
elseif members then
  local list = { id }
  for _, member in ipairs(members) do
    list[#list + 1] = member.id
  end
  redis.call('HSET', KEYS[1], 'g:' .. link, string.format('%.0f', expires) .. '\n' .. table.concat(list, ','))
end
return '+' .. id .. '\n' .. record
