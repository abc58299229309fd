-- Notes on a friend's claim that the friend has bought, from when on the purchase stands unless it is returned; or that it
-- was returned. Told again, changes nothing; a purchase that was returned is not noted a second time.
-- KEYS, record: see claim-record.lua
-- ARGV[1] purchase or refund   ARGV[2] claim   ARGV[3] shopper   ARGV[4] purchase, by its hash   ARGV[5] item, by its hash, '' for none
-- ARGV[6] when it was (ms)   ARGV[7] now (ms)
-- Returns 1 when something changed, else 0.
local claim = read(ARGV[2])
if not claim or claim.role ~= 'f' or claim.status ~= 'h' or claim.shopper ~= ARGV[3] then
  return 0
end
local terms = limits()
local purchase, item = string.match(claim.bought, '^(%d+):(%d*)$')
if ARGV[1] == 'purchase' then
  if purchase or claim.bought == ':' .. ARGV[4] or tonumber(ARGV[6]) < tonumber(claim.created) then
    return 0
  end
  claim.bought, claim.expires = ARGV[4] .. ':' .. ARGV[5], ARGV[6] + terms.refundable
else
  if not purchase or (ARGV[5] ~= '' and item ~= '' and ARGV[5] ~= item) then
    return 0
  end
  claim.bought, claim.expires = ':' .. purchase, ARGV[7] + terms.ttl
end
write(claim, claim.expires)
-- The sharer's claim waits as long as the friend's may take.
local sharer = read(claim.link)
if sharer and sharer.status == 'h' and sharer.link == claim.id then
  sharer.expires = claim.expires + terms.ttl
  write(sharer, sharer.expires)
end
return 1
