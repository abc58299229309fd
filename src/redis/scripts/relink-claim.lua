-- Gives a claim to the shopper its own was merged into, or to nobody when they are erased, with its place under the cap.
-- KEYS, record: see claim-record.lua   ARGV[1] claim   ARGV[2] from   ARGV[3] to, '' for nobody
-- Returns 1 when it was theirs, else 0.
local claim = read(ARGV[1])
if not claim or claim.shopper ~= ARGV[2] then
  return 0
end
if claim.status ~= 'l' and claim.status ~= 'e' then
  less_one('u:' .. ARGV[2])
  if ARGV[3] ~= '' then
    redis.call('HINCRBY', KEYS[1], 'u:' .. ARGV[3], 1)
  end
end
claim.shopper = ARGV[3]
if ARGV[3] == '' then
  claim.device = ''
end
redis.call('HSET', KEYS[1], 'c:' .. claim.id, text_of(claim))
return 1
