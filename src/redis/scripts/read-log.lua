-- Reads what a log has after a position, and keeps the log alive; begins one where there is none, so that there is a place to come back to.
-- KEYS[1] log
-- ARGV[1] now, ms   ARGV[2], ARGV[3] epoch and offset of the position; an empty epoch stands for the end   ARGV[4] without a position, the last frames wanted
-- Returns epoch and offset of the end, 1 or 0 for whether nothing after the position is lost, and the entries.
local epoch, offset = last_of(KEYS[1])
if not epoch then
  epoch, offset = new_epoch(KEYS[1], ARGV[1]), 0
  add(KEYS[1], epoch .. '-0', '')
else
  redis.call('PEXPIRE', KEYS[1], LOG_MS)
end
if ARGV[2] == '' then
  local wanted = tonumber(ARGV[4])
  local after = math.max(0, offset - wanted)
  return { epoch, offset, 1, wanted > 0 and redis.call('XRANGE', KEYS[1], epoch .. '-' .. (after + 1), '+') or {} }
end
local from = tonumber(ARGV[3])
if ARGV[2] ~= epoch or from > offset then
  return { epoch, offset, 0, {} }
end
local entries = from < offset and redis.call('XRANGE', KEYS[1], epoch .. '-' .. (from + 1), '+') or {}
if #entries ~= offset - from then
  return { epoch, offset, 0, {} }
end
return { epoch, offset, 1, entries }
