package index

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"segell/ledger"
)

// place puts one request where it belongs, wherever it was before, and counts what
// became of it: one step in Redis, which may be repeated.
//
// A request that cannot be read has no kind and number: it keeps those that are
// known here.
//
// KEYS[1] the kinds, KEYS[2] the groups; the other keys follow from the prefix and
// lie in the same slot. ARGV: 1 prefix, 2 and 3 the bounds of the id, 4 the id, 5
// state ("": out of the index), 6 kind, 7 number, 8 group, 9 stage, 10 cause, 11
// message, 12 when it failed (seconds), 13 and 14 place of the number, 15 slot of
// acceptance, 16 slot of its end, 17 class of its duration, 18 life of a slot
// (seconds). It returns whether anything changed, and the number of what was taken
// out.
var place = redis.NewScript(`
local P, id, state, kind = ARGV[1], ARGV[4], ARGV[5], ARGV[6]
local states = {"accepted", "failed", "issued", "withdrawn", "replaced", "cancelled", "erased"}

local function find()
  local kinds = {kind, ""}
  if kind == "" then kinds = redis.call("SMEMBERS", KEYS[1]) end
  for _, k in ipairs(kinds) do
    for _, s in ipairs(states) do
      local found = redis.call("ZRANGEBYLEX", P .. "p:" .. k .. ":" .. s, ARGV[2], ARGV[3])
      if found[1] then return s, k, found[1] end
    end
  end
  return "", "", ""
end

local function count(slot, field)
  if slot == "" then return end
  redis.call("HINCRBY", P .. "t:" .. slot, field, 1)
  redis.call("EXPIRE", P .. "t:" .. slot, ARGV[18])
end

local was, wasKind, old = find()
local group, number = "", string.sub(old, 17)
if was == "failed" then group, number = string.sub(old, 17, 32), string.sub(old, 33) end
if kind == "" then kind = wasKind end

local new = ""
if state ~= "" then
  local own = ARGV[7]
  if own == "" then own = number end
  if state == "failed" then own = ARGV[8] .. own end
  new = id .. own
end

local same = was == state and wasKind == kind and old == new
if was ~= "" and not same then
  redis.call("ZREM", P .. "p:" .. wasKind .. ":" .. was, old)
  if was == "failed" then
    redis.call("ZREM", P .. "f:" .. group .. ":" .. wasKind, old)
    if redis.call("HINCRBY", P .. "g:" .. group, "n:" .. wasKind, -1) <= 0 then redis.call("HDEL", P .. "g:" .. group, "n:" .. wasKind) end
  end
end
if state == "" then
  if was == "" then return {0, ""} end
  return {1, number}
end

if not same then
  redis.call("SADD", KEYS[1], kind)
  redis.call("ZADD", P .. "p:" .. kind .. ":" .. state, 0, new)
  if ARGV[13] ~= "" and number ~= ARGV[7] then redis.call("HSET", ARGV[13], ARGV[14], id) end
end

if state == "failed" then
  local g, at = P .. "g:" .. ARGV[8], tonumber(ARGV[12])
  if not same then
    redis.call("ZADD", P .. "f:" .. ARGV[8] .. ":" .. kind, 0, new)
    redis.call("HINCRBY", g, "n:" .. kind, 1)
  end
  if redis.call("HSETNX", g, "cause", ARGV[10]) == 1 then redis.call("HSET", g, "stage", ARGV[9], "message", ARGV[11]) end
  local first, last = redis.call("HGET", g, "first"), redis.call("HGET", g, "last")
  if not first or at < tonumber(first) then redis.call("HSET", g, "first", ARGV[12]) end
  if not last or at > tonumber(last) then
    redis.call("HSET", g, "last", ARGV[12])
    redis.call("ZADD", KEYS[2], at, ARGV[8])
  end
end

if was == "" then count(ARGV[15], "accepted") end
local waited = was == "" or was == "accepted" or was == "failed"
if state == "failed" and was ~= "failed" then count(ARGV[16], "failed") end
if waited and (state == "issued" or state == "withdrawn" or state == "replaced") then
  count(ARGV[16], "issued")
  count(ARGV[16], "d" .. ARGV[17])
end
if same then return {0, ""} end
return {1, ""}`)

// found is what the ledger said of a request: a standing, or that it knows none.
type found struct {
	id       string
	standing *ledger.Standing // nil: no longer in the ledger
	told     time.Time        // when somebody said that it changed; zero: nobody did
}

// Enter puts requests into the index as the ledger knows them. Run does that by
// itself; it is for who fills a register.
func (x *Index) Enter(ctx context.Context, standings ...ledger.Standing) error {
	all := make([]found, len(standings))
	for i := range standings {
		all[i] = found{id: standings[i].ID, standing: &standings[i]}
	}
	_, err := x.put(ctx, all)
	return err
}

// put puts what was found in its place, and returns how much of it was news.
func (x *Index) put(ctx context.Context, all []found) (news int, err error) {
	groups, err := x.groupsFor(ctx, all)
	if err != nil {
		return 0, err
	}
	args := make([][]any, 0, len(all))
	for _, f := range all {
		if a := x.placing(f, groups); a != nil {
			args = append(args, a)
		}
	}
	if len(args) == 0 {
		return 0, nil
	}
	keys := []string{kindsKey, groupsKey}
	run := func() (done []*redis.Cmd, err error) {
		_, err = x.Redis.Pipelined(ctx, func(p redis.Pipeliner) error {
			for _, a := range args {
				done = append(done, place.EvalSha(ctx, p, keys, a...))
			}
			return nil
		})
		return done, err
	}
	done, err := run()
	if redis.HasErrorPrefix(err, "NOSCRIPT") {
		if err = place.Load(ctx, x.Redis).Err(); err == nil {
			done, err = run()
		}
	}
	if err != nil {
		return 0, fmt.Errorf("%w: %w", ErrAway, err)
	}
	return x.placed(ctx, args, done)
}

// placed counts the news, and forgets the numbers of what was taken out.
func (x *Index) placed(ctx context.Context, args [][]any, done []*redis.Cmd) (news int, err error) {
	for i, d := range done {
		answer, err := d.Slice()
		if err != nil || len(answer) != 2 {
			return news, fmt.Errorf("%w: a step of the index answered strangely: %w", ErrAway, err)
		}
		if answer[0] != int64(1) {
			continue
		}
		news++
		packed, _ := answer[1].(string)
		if args[i][4] != "" || packed == "" {
			continue
		}
		key, field := numberPlace(unpackNumber(packed))
		if err := x.Redis.HDel(ctx, key, field).Err(); err != nil {
			return news, fmt.Errorf("%w: %w", ErrAway, err)
		}
	}
	return news, nil
}

// placing is the arguments of place for one request, or nil for what cannot be one.
func (x *Index) placing(f found, groups map[string]grouping) []any {
	key, ok := keyOf(f.id)
	if !ok {
		return nil
	}
	a := []any{prefix, key.from(), key.next().before(), string(key[:]), "", "", "", "", "", "", "", 0, "", "", "", "", "", int(tempoKept.Seconds())}
	s := f.standing
	if s == nil {
		return a
	}
	state, ok := keptAs(s.State)
	if !ok {
		return nil
	}
	a[4], a[5], a[6] = string(state), s.Kind, packNumber(s.Number)
	if s.Number != "" {
		a[12], a[13] = numberPlace(s.Number)
	}
	accepted := ledger.TimeOf(f.id)
	a[14] = x.slotOf(accepted)
	switch {
	case state == ledger.StateFailed && s.Failure != nil:
		g := groups[f.id]
		a[7], a[8], a[9], a[10], a[11] = g.id, g.stage, g.cause, g.message, s.Failure.FailedAt.Unix()
		a[15] = x.slotOf(s.Failure.FailedAt)
	case s.Record != nil:
		at := issuedAt(s.Record, f.told)
		a[15], a[16] = x.slotOf(at), strconv.Itoa(durationClass(at.Sub(accepted)))
	}
	return a
}
