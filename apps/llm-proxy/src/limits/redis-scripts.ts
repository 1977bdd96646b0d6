/**
 * Both scripts get of each subject two keys: its windows (a hash) and its places (a sorted set of leases by when they end). Of one call
 * all keys have the same hash tag, so that a cluster keeps them in one slot. Time is Redis' own: the clocks of the instances may differ.
 */

const NOW = `
local now = tonumber(ARGV[1])
if not now then
  local time = redis.call('TIME')
  now = time[1] * 1000 + math.floor(time[2] / 1000)
end`

/** As text: Lua writes large numbers as 1.7e+12. */
const WHOLE = `
local function whole(number) return string.format('%.0f', number) end`

/**
 * Takes tokens of every subject, and a request and a place (calls: 1) unless the call has them already (0); or nothing of any.
 * ARGV: now ('' for Redis' clock), window ms, lease ms, the lease's name, tokens, calls; then of each subject how many requests, tokens and places.
 * Gives back 1 or 0, now, and of each subject what it had used before: requests, their end, tokens, their end, places.
 */
export const TAKE = `${NOW}${WHOLE}
local window, lease, name = tonumber(ARGV[2]), tonumber(ARGV[3]), ARGV[4]
local tokens, calls = tonumber(ARGV[5]), tonumber(ARGV[6])
local answer = { 1, now }
for at = 1, #KEYS / 2 do
  local counted = redis.call('HMGET', KEYS[2 * at - 1], 'requests', 'requests_until', 'tokens', 'tokens_until')
  local requests, requestsUntil = tonumber(counted[1]) or 0, tonumber(counted[2]) or 0
  local used, usedUntil = tonumber(counted[3]) or 0, tonumber(counted[4]) or 0
  if requestsUntil <= now or requestsUntil > now + window then requests, requestsUntil = 0, now + window end
  if usedUntil <= now or usedUntil > now + window then used, usedUntil = 0, now + window end
  redis.call('ZREMRANGEBYSCORE', KEYS[2 * at], '-inf', whole(now))
  local places = redis.call('ZCARD', KEYS[2 * at])
  for _, value in ipairs({ requests, requestsUntil, used, usedUntil, places }) do table.insert(answer, value) end
  local allowed = 6 + 3 * (at - 1)
  if calls == 1 and (requests >= tonumber(ARGV[allowed + 1]) or places >= tonumber(ARGV[allowed + 3]))
    or used + tokens > tonumber(ARGV[allowed + 2]) then answer[1] = 0 end
end
if answer[1] == 0 then return answer end
for at = 1, #KEYS / 2 do
  local had = 2 + 5 * (at - 1)
  redis.call('HSET', KEYS[2 * at - 1],
    'requests', whole(answer[had + 1] + calls), 'requests_until', whole(answer[had + 2]),
    'tokens', whole(answer[had + 3] + tokens), 'tokens_until', whole(answer[had + 4]))
  redis.call('PEXPIRE', KEYS[2 * at - 1], whole(window * 2))
  if calls == 1 then
    redis.call('ZADD', KEYS[2 * at], whole(now + lease), name)
    redis.call('PEXPIRE', KEYS[2 * at], whole(lease * 2))
  end
end
return answer`

/**
 * Frees a place, and counts so many tokens more or less in the window that they were taken from, if that still runs.
 * ARGV: the lease's name, the difference; then of each subject the end of that window.
 */
export const GIVE_BACK = `
for at = 1, #KEYS / 2 do
  redis.call('ZREM', KEYS[2 * at], ARGV[1])
  if ARGV[2] ~= '0' and redis.call('HGET', KEYS[2 * at - 1], 'tokens_until') == ARGV[2 + at] then
    redis.call('HINCRBY', KEYS[2 * at - 1], 'tokens', ARGV[2])
  end
end
return 1`

/** Prolongs the leases of a call that is still running. KEYS: its places. ARGV: now, lease ms, the lease's name. */
export const RENEW = `${NOW}${WHOLE}
for at = 1, #KEYS do
  redis.call('ZADD', KEYS[at], 'XX', whole(now + ARGV[2]), ARGV[3])
  redis.call('PEXPIRE', KEYS[at], whole(ARGV[2] * 2))
end
return 1`
