-- Put into claim-offer.lua for group buys and share rewards, after claim-record.lua. Sets status, role, expires, link and
-- reserve of the new claim, and `finish`: what its group or its sharer learns of it.
local function join(group)
  local deadline, list = string.match(redis.call('HGET', KEYS[1], 'g:' .. group) or '', '^(%d+)\n(.*)$')
  if not deadline or at >= tonumber(deadline) then
    return nil, 'group_closed'
  end
  local members = {}
  for member in string.gmatch(list, '%w+') do
    members[#members + 1] = read(member)
    if members[#members].shopper == shopper then
      return nil, 'cap_reached'
    end
  end
  return members, list, tonumber(deadline)
end

if kind == 1 then
  local members, list, deadline = {}, nil, at + within
  role, link = 'g', id
  if named ~= '' then
    members, list, deadline = join(named)
    if not members then
      return list
    end
    link = named
  end
  if #members + 1 == size then
    finish = function()
      for _, member in ipairs(members) do
        member.status, member.expires = 'c', expires
        write(member, expires)
        log(member)
      end
      redis.call('HDEL', KEYS[1], 'g:' .. link)
    end
  else
    status, expires = 'h', deadline
    finish = function()
      redis.call('HSET', KEYS[1], 'g:' .. link, string.format('%.0f', deadline) .. '\n' .. (list and list .. ',' or '') .. id)
    end
  end
elseif kind == 2 then
  status, role = 'h', 's'
  if named ~= '' then
    local sharer = read(named)
    if not sharer or sharer.status ~= 'h' or sharer.role ~= 's' or sharer.link ~= '' or at >= tonumber(sharer.expires) then
      return 'share_closed'
    end
    if sharer.shopper == shopper or (device ~= '' and sharer.device == device) then
      return 'not_eligible'
    end
    role, link, reserve = 'f', named, friend_reserve
    finish = function()
      sharer.link, sharer.expires = id, math.max(tonumber(sharer.expires), expires)
      write(sharer, sharer.expires)
    end
  end
end
