-- Redeems, releases or refunds a claim. Saying the same again changes nothing.
-- KEYS, record: see claim-record.lua
-- ARGV[1] redeem, release or refund   ARGV[2] claim   ARGV[3] now (ms)   ARGV[4] redeem: what it came to, minor units
-- Returns '+' or, when it was so before, '=', and the claim and its record in lines; or the reason why not.
local what, id, now = ARGV[1], ARGV[2], ARGV[3]
local claim = read(id)
if not claim then
  return 'not_found'
end
-- Always a write: WAIT then counts what an earlier try has changed, too.
redis.call('HSET', KEYS[1], 'replayed', now)
local terms = limits()
local is_out = claim.status == 'h' or claim.status == 'c'

local function redeem()
  if claim.status == 'r' and claim.spent == ARGV[4] then
    return '='
  elseif claim.status == 'h' then
    return 'claim_held'
  elseif claim.status == 'e' or (claim.status == 'c' and tonumber(now) >= tonumber(claim.expires)) then
    return 'claim_expired'
  elseif claim.status ~= 'c' then
    return 'claim_settled'
  elseif tonumber(ARGV[4]) > tonumber(claim.reserved) then
    return 'above_reserved'
  end
  redis.call('HINCRBY', KEYS[1], 'money', ARGV[4] - claim.reserved)
  redis.call('HINCRBY', KEYS[1], 'redeemed', 1)
  redis.call('HINCRBY', KEYS[1], 'spent', ARGV[4])
  claim.status, claim.spent = 'r', ARGV[4]
  write(claim, now + terms.kept)
  log(claim)
  return '+'
end

local function release()
  if claim.status == 'l' or claim.status == 'e' then
    return '='
  elseif not is_out then
    return 'claim_settled'
  end
  leave(claim)
  give_back(claim, 'l', now, terms.kept)
  return '+'
end

-- The place under the caps does not come back: who buys and returns has had the offer.
local function refund()
  if claim.status == 'f' then
    return '='
  elseif is_out then
    return 'claim_not_redeemed'
  elseif claim.status ~= 'r' then
    return claim.status == 'e' and 'claim_expired' or 'claim_settled'
  end
  redis.call('HINCRBY', KEYS[1], 'redeemed', -1)
  redis.call('HINCRBY', KEYS[1], 'spent', 0 - claim.spent)
  if terms.returns == 1 then
    redis.call('HINCRBY', KEYS[1], 'money', 0 - claim.spent)
    redis.call('HINCRBY', KEYS[1], 'count', -1)
  end
  claim.status = 'f'
  write(claim, now + terms.kept)
  log(claim)
  return '+'
end

local result = ({ redeem = redeem, release = release, refund = refund })[what]()
if result == '+' or result == '=' then
  return result .. id .. '\n' .. text_of(claim)
end
return result
