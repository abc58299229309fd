-- Claims an offer, for up to 64 who ask in one turn: replay, status, window, caps, budget, record and ledger, all or
-- nothing for each. However many they are, it is one read, one write and one ledger entry: a crowd costs little more than
-- a call each would. What groups and shares need beside it is put in at $TOGETHER for their offers, which are claimed one
-- at a time (claim-together.lua).
-- KEYS, record: see claim-record.lua
-- ARGV[1] for each claim lines: now (ms), new claim, its code, flags, key, device, named, shopper
--   flags: w, a replay writes too, for WAIT to count; x, the shopper is not eligible
-- $LEDGER_MAX, entries of the ledger from which on nothing is claimed, is set when the script is defined.
-- When a claim expires, whoever follows the ledger notes among what is due.
-- Returns for each, parted by NUL: '+' or, on replay, '=', and the claim and its record in lines; or the reason why not.
local fields, asked = { 'limits', 'money', 'count' }, {}
for now, id, code, flags, tail, key, device, named, shopper in string.gmatch(ARGV[1], '(%d+)\n(%w+)\n(%w+)\n(%w*)\n(([^\n]*)\n(%d*)\n(%w*)\n([^\n]*))\n') do
  asked[#asked + 1] = { now, id, code, flags, tail, 'k:' .. key, 'd:' .. device, named, 'u:' .. shopper, shopper, device }
  local n, request = #fields, asked[#asked]
  fields[n + 1], fields[n + 2], fields[n + 3] = request[6], request[7], request[9]
end
local state = redis.call('HMGET', KEYS[1], unpack(fields))
if not (state[1] and state[2] and state[3]) then
  return 'budget_missing' .. string.rep('\0budget_missing', #asked - 1)
end
local active, from, to, money_max, count_max, per_user, per_device, base_reserve, ttl, kind, size, within, friend_reserve = struct.unpack('<ddddddddddddd', state[1])
local money, count = tonumber(state[2]), tonumber(state[3])
-- What this call itself changes counts for those who come later in it.
local known = {}
for i = 4, #fields do
  known[fields[i]] = state[i]
end
local changed, entries, records = {}, {}, {}

local function replay(id, tail, flags, now)
  local record = records[id] or redis.call('HGET', KEYS[1], 'c:' .. id)
  if not record or string.sub(record, -#tail - 1) ~= '\n' .. tail then
    return 'key_reused'
  end
  if string.find(flags, 'w', 1, true) then
    redis.call('HSET', KEYS[1], 'replayed', now)
  end
  return '=' .. id .. '\n' .. record
end

local function claim(now, id, code, flags, tail, by_key, by_device, named, by_shopper, shopper, device)
  if known[by_key] then
    return replay(known[by_key], tail, flags, now)
  end
  local at = tonumber(now)
  if flags ~= '' and string.find(flags, 'x', 1, true) then
    return 'not_eligible'
  elseif active ~= 1 then
    return 'offer_not_active'
  elseif at < from or at >= to then
    return 'outside_window'
  end
  local of_user, of_device = (known[by_shopper] or 0) + 1, (known[by_device] or 0) + 1
  if of_user > per_user or (per_device > 0 and device ~= '' and of_device > per_device) then
    return 'cap_reached'
  end
  local status, role, expires, link, reserve, finish = 'c', 'p', at + ttl, '', base_reserve, nil
  -- $TOGETHER
  if money + reserve > money_max or count + 1 > count_max then
    return 'offer_exhausted'
  end
  -- Looked at now and then: refused claims do not count on, so that from there all are refused.
  if count % 16 == 0 and redis.call('XLEN', KEYS[2]) >= $LEDGER_MAX then
    return 'backlog_full'
  end
  money, count = money + reserve, count + 1
  local record = table.concat({ status, role, now, expires, reserve, '', link, '', code, tail }, '\n')
  known[by_key], known[by_shopper], records[id] = id, of_user, record
  local n = #changed
  changed[n + 1], changed[n + 2], changed[n + 3], changed[n + 4], changed[n + 5], changed[n + 6] = by_key, id, by_shopper, of_user, 'c:' .. id, record
  if device ~= '' then
    known[by_device] = of_device
    changed[n + 7], changed[n + 8] = by_device, of_device
  end
  entries[#entries + 1] = id
  entries[#entries + 1] = record
  if finish then
    finish()
  end
  return '+' .. id .. '\n' .. record
end

local results = {}
for i, request in ipairs(asked) do
  results[i] = claim(unpack(request))
end
if #entries > 0 then
  redis.call('HSET', KEYS[1], 'money', money, 'count', count, unpack(changed))
  redis.call('XADD', KEYS[2], '*', 'e', table.concat(entries, '\n'))
end
return table.concat(results, '\0')
