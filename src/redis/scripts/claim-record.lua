-- What the scripts about claims share; put before each of them.
-- KEYS[1] state of the offer (hash)   KEYS[2] its ledger (stream)   KEYS[3] claims by the time something is due (zset)
-- The state: limits (doubles, see LIMITS in claim-limits.ts), money and count (what is out), redeemed and spent (so far);
--   c:<claim> its record; k:<key> the claim made under an idempotency key; u:<shopper> and d:<device> claims out;
--   g:<group> deadline and members while it is open.
-- A record is lines: status (h held, c claimed, r redeemed, l released, e expired, f refunded), role (p plain, g of a
--   group, s sharer, f friend), created, expires, reserved,
--   spent, link (group; of a sharer the friend's claim, of a friend the sharer's), bought (purchase:item, by their
--   hashes, or :purchase of one that was returned), code, key, device,
--   named (the group or share the request named), shopper.
local RECORD = '^(%a)\n(%a)\n(%d+)\n(%d+)\n(%d+)\n(%d*)\n(%w*)\n([%d:]*)\n(%w+)\n([^\n]*)\n([^\n]*)\n([^\n]*)\n(.*)$'

local function text_of(claim)
  return table.concat({ claim.status, claim.role, claim.created, claim.expires, claim.reserved, claim.spent, claim.link, claim.bought,
    claim.code, claim.key, claim.device, claim.named, claim.shopper }, '\n')
end

local function read(id)
  local text = redis.call('HGET', KEYS[1], 'c:' .. id)
  if not text then
    return nil
  end
  local claim = { id = id }
  claim.status, claim.role, claim.created, claim.expires, claim.reserved, claim.spent, claim.link, claim.bought,
    claim.code, claim.key, claim.device, claim.named, claim.shopper = string.match(text, RECORD)
  return claim
end

-- Writes a claim back; `due` is when the sweep has to look at it again, ms.
local function write(claim, due)
  redis.call('HSET', KEYS[1], 'c:' .. claim.id, text_of(claim))
  redis.call('ZADD', KEYS[3], due, claim.id)
end

-- An entry has claims and their records as they have become, in lines.
local function log(claim)
  redis.call('XADD', KEYS[2], '*', 'e', claim.id .. '\n' .. text_of(claim))
end

local function limits()
  local packed = redis.call('HGET', KEYS[1], 'limits')
  local found = {}
  found.active, found.from, found.to, found.money, found.count, found.per_user, found.per_device, found.reserve, found.ttl,
    found.kind, found.size, found.within, found.friend_reserve, found.refundable, found.returns, found.kept = struct.unpack('<dddddddddddddddd', packed)
  return found
end

local function less_one(field)
  if redis.call('HINCRBY', KEYS[1], field, -1) <= 0 then
    redis.call('HDEL', KEYS[1], field)
  end
end

-- Ends a held or claimed one and returns what it had reserved, and its place under the caps.
local function give_back(claim, status, now, kept)
  redis.call('HINCRBY', KEYS[1], 'money', 0 - claim.reserved)
  redis.call('HINCRBY', KEYS[1], 'count', -1)
  if claim.shopper ~= '' then
    less_one('u:' .. claim.shopper)
  end
  if claim.device ~= '' then
    less_one('d:' .. claim.device)
  end
  claim.status = status
  write(claim, now + kept)
  log(claim)
end

-- Takes a held claim out of its open group, or off the share it names.
local function leave(claim)
  if claim.status ~= 'h' or claim.link == '' then
    return
  end
  local group = redis.call('HGET', KEYS[1], 'g:' .. claim.link)
  if group then
    local deadline, list = string.match(group, '^(%d+)\n(.*)$')
    local others = {}
    for member in string.gmatch(list, '%w+') do
      if member ~= claim.id then
        others[#others + 1] = member
      end
    end
    if #others == 0 then
      redis.call('HDEL', KEYS[1], 'g:' .. claim.link)
    else
      redis.call('HSET', KEYS[1], 'g:' .. claim.link, deadline .. '\n' .. table.concat(others, ','))
    end
  elseif claim.role == 'f' then
    local sharer = read(claim.link)
    if sharer and sharer.status == 'h' and sharer.link == claim.id then
      sharer.link = ''
      write(sharer, sharer.expires)
    end
  end
end
