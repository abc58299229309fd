-- Appends a frame to a channel's log and publishes it; or publishes a state frame only.
-- KEYS[1] log   KEYS[2] push channel (both of one slot)
-- ARGV[1], ARGV[2] the frame before and after its position   ARGV[3] now, ms   ARGV[4] 1: a state frame
-- Returns epoch and offset; of a state frame an empty list.
if ARGV[4] == '1' then
  publish_state(KEYS[1], KEYS[2], ARGV[1], ARGV[2])
  return {}
end
local epoch, offset = append(KEYS[1], KEYS[2], ARGV[1], ARGV[2], ARGV[3])
return { epoch, offset }
