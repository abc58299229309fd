-- Claims an offer for many shoppers at the same moment: what claim-offer.lua does, for offers that are neither group buys nor share rewards
-- and for shoppers without a device. It leaves to the client what can be left to it, because of a claim for one in a crowd most is spent on
-- text: a third of the time, measured with 64 a call.
-- KEYS, record: see claim-record.lua
-- ARGV[1] now, ms   ARGV[2] 1: a replay writes too, for WAIT to count
-- ARGV[3] for each claim four: `k:` and the key, `u:` and the shopper, the new claim, and of its record the lines from the code on
-- $LEDGER_MAX, entries of the ledger from which on nothing is claimed, is set when the script is defined.
-- Returns when what is claimed now expires, ms; then for each '+'; or on replay '=' and the claim and its record in lines; or the reason why not.
local at = tonumber(ARGV[1])
local fields, n = { 'limits', 'money', 'count' }, 3
for i = 3, #ARGV, 4 do
  fields[n + 1], fields[n + 2] = ARGV[i], ARGV[i + 1]
  n = n + 2
end
local state = redis.call('HMGET', KEYS[1], unpack(fields))
local results, refusal = { '0' }, nil
local active, from, to, money_max, count_max, per_user, _, reserve, ttl, kind = 0, 0, 0, 0, 0, 0, 0, 0, 0, 0
if state[1] and state[2] and state[3] then
  active, from, to, money_max, count_max, per_user, _, reserve, ttl, kind = struct.unpack('<dddddddddd', state[1])
  results[1] = string.format('%.0f', at + ttl)
  refusal = kind ~= 0 and 'not_eligible' or active ~= 1 and 'offer_not_active' or (at < from or at >= to) and 'outside_window' or nil
else
  refusal = 'budget_missing'
end
local money, count = tonumber(state[2]), tonumber(state[3])
-- A record's lines up to the code: all alike.
local head = table.concat({ 'c', 'p', ARGV[1], results[1], reserve, '', '', '', '' }, '\n')
local taken, changed, entries = {}, {}, {}
local is_replayed = false

local function replay(id, rest)
  local record = redis.call('HGET', KEYS[1], 'c:' .. id)
  local tail = string.match(rest, '\n.*$')
  if not record or string.sub(record, -#tail) ~= tail then
    return 'key_reused'
  end
  is_replayed = true
  return '=' .. id .. '\n' .. record
end

local function claim(i, nth)
  local by_key, by_shopper, id, rest = ARGV[i], ARGV[i + 1], ARGV[i + 2], ARGV[i + 3]
  if state[nth] then
    return replay(state[nth], rest)
  elseif refusal then
    return refusal
  end
  local of_user = (taken[by_shopper] or tonumber(state[nth + 1] or 0)) + 1
  if of_user > per_user then
    return 'cap_reached'
  elseif money + reserve > money_max or count + 1 > count_max then
    return 'offer_exhausted'
  elseif count % 16 == 0 and redis.call('XLEN', KEYS[2]) >= $LEDGER_MAX then
    return 'backlog_full'
  end
  money, count, taken[by_shopper] = money + reserve, count + 1, of_user
  local record, c, e = head .. rest, #changed, #entries
  changed[c + 1], changed[c + 2], changed[c + 3], changed[c + 4], changed[c + 5], changed[c + 6] = by_key, id, by_shopper, tostring(of_user), 'c:' .. id, record
  entries[e + 1], entries[e + 2] = id, record
  return '+'
end

local nth = 4
for i = 3, #ARGV, 4 do
  results[#results + 1] = claim(i, nth)
  nth = nth + 2
end
if #entries > 0 then
  redis.call('HSET', KEYS[1], 'money', money, 'count', count, unpack(changed))
  redis.call('XADD', KEYS[2], '*', 'e', table.concat(entries, '\n'))
end
if is_replayed and ARGV[2] == '1' then
  redis.call('HSET', KEYS[1], 'replayed', ARGV[1])
end
return table.concat(results, '\0')
