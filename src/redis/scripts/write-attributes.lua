-- Writes a shopper's attributes if they still are what was read, and says so in the partition's stream.
-- KEYS[1] attributes   KEYS[2] event stream (same slot)
-- ARGV[1] what was read, '' for none, '*' for whatever there is   ARGV[2] the new value, '' to delete   ARGV[3] life, s
-- ARGV[4] portrait record, JSON
-- Returns 1, or 0 when somebody else wrote in between.
if ARGV[1] ~= '*' and (redis.call('GET', KEYS[1]) or '') ~= ARGV[1] then
  return 0
end
if ARGV[2] == '' then
  if redis.call('DEL', KEYS[1]) == 0 then
    return 1
  end
else
  redis.call('SET', KEYS[1], ARGV[2], 'EX', ARGV[3])
end
redis.call('XADD', KEYS[2], '*', 'e', ARGV[4])
return 1
