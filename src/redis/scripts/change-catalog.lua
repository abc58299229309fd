-- Changes the catalog hash and tells every process, with a sequence number by which a gap is seen.
-- KEYS[1] hash (items or pins)   KEYS[2] change stream   KEYS[3] sequence (same slot)
-- ARGV[1] 'put' or 'delete'   ARGV[2] what changes ('items' or 'pins')   ARGV[3] entries the stream keeps
-- ARGV[4…] for put: field, value, field, value…; for delete: fields
-- Returns how many fields were new (put) or there (delete).
local count = 0
local changed = {}
if ARGV[1] == 'put' then
  for i = 4, #ARGV, 2 do
    count = count + redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 1])
    changed[#changed + 1] = ARGV[i]
    changed[#changed + 1] = ARGV[i + 1]
  end
else
  for i = 4, #ARGV do
    count = count + redis.call('HDEL', KEYS[1], ARGV[i])
    changed[#changed + 1] = ARGV[i]
  end
end
if #changed > 0 then
  local sequence = redis.call('INCR', KEYS[3])
  redis.call('XADD', KEYS[2], 'MAXLEN', '~', ARGV[3], '*', 'n', sequence, 'op', ARGV[1], 'what', ARGV[2], 'd', cjson.encode(changed))
end
return count
