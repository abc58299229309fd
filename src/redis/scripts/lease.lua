-- Takes, keeps or gives back a lease: a key that holds its owner's name for a time.
-- KEYS[1] lease   ARGV[1] owner   ARGV[2] time to live, ms; 0 gives it back
-- Returns 1 when it is (or was) the owner's, else 0.
local owner = redis.call('GET', KEYS[1])
if owner and owner ~= ARGV[1] then
  return 0
end
if ARGV[2] == '0' then
  return redis.call('DEL', KEYS[1])
end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
