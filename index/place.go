package index

import (
	"context"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"

	"segell/ledger"
)

// place puts one request where it belongs, wherever it was before, and counts what
// became of it: one step in Redis, which may be repeated.
//
// A request that cannot be read has no kind and number: it keeps those that are
// known here. What a group counts is always what lies in it.
//
// KEYS[1] the kinds, KEYS[2] the groups, KEYS[3] the causes; the other keys follow
// from the prefix and lie in the same slot. ARGV are the names and values that
// placing.args writes. It returns whether anything changed, and the number of what
// was taken out.
var place = redis.NewScript(`
local a = {}
for i = 1, #ARGV, 2 do a[ARGV[i]] = ARGV[i + 1] end
local P, kind = a.prefix, a.kind
local states = {"accepted", "failed", "issued", "withdrawn", "replaced", "cancelled", "erased"}

local function find()
  local kinds = {kind, ""}
  if kind == "" then kinds = redis.call("SMEMBERS", KEYS[1]) end
  for _, k in ipairs(kinds) do
    for _, s in ipairs(states) do
      local found = redis.call("ZRANGEBYLEX", P .. "p:" .. k .. ":" .. s, a.first, a.beyond)
      if found[1] then return s, k, found[1] end
    end
  end
  return "", "", ""
end

local function tick(slot, field)
  if slot == "" then return end
  redis.call("HINCRBY", P .. "t:" .. slot, field, 1)
  redis.call("EXPIRE", P .. "t:" .. slot, a.slotLife)
end

local function recount(group, k)
  local n = redis.call("ZCARD", P .. "f:" .. group .. ":" .. k)
  if n > 0 then
    redis.call("HSET", P .. "g:" .. group, "n:" .. k, n)
  else
    redis.call("HDEL", P .. "g:" .. group, "n:" .. k)
  end
end

local function leaveGroup(group, k, row)
  redis.call("ZREM", P .. "f:" .. group .. ":" .. k, row)
  local causes = {redis.call("HGET", P .. "g:" .. group, "cause")}
  if not causes[1] then causes = redis.call("SMEMBERS", KEYS[3]) end
  for _, cause in ipairs(causes) do redis.call("ZREM", P .. "c:" .. cause .. ":" .. k, row) end
  recount(group, k)
end

local function joinGroup(row)
  local g = P .. "g:" .. a.group
  redis.call("SADD", KEYS[3], a.cause)
  redis.call("ZADD", P .. "f:" .. a.group .. ":" .. kind, 0, row)
  redis.call("ZADD", P .. "c:" .. a.cause .. ":" .. kind, 0, row)
  recount(a.group, kind)
  if redis.call("HSETNX", g, "cause", a.cause) == 1 then redis.call("HSET", g, "stage", a.stage, "message", a.message) end
  local at, first, last = tonumber(a.failedAt), redis.call("HGET", g, "first"), redis.call("HGET", g, "last")
  if not first or at < tonumber(first) then redis.call("HSET", g, "first", a.failedAt) end
  if not last or at > tonumber(last) then
    last = a.failedAt
    redis.call("HSET", g, "last", last)
  end
  redis.call("ZADD", KEYS[2], last, a.group)
end

local was, wasKind, old = find()
local group, number = "", string.sub(old, 17)
if was == "failed" then group, number = string.sub(old, 17, 32), string.sub(old, 33) end
if kind == "" then kind = wasKind end

local new = ""
if a.state ~= "" then
  local own = a.number
  if own == "" then own = number end
  if a.state == "failed" then own = a.group .. own end
  new = a.id .. own
end

local same = was == a.state and wasKind == kind and old == new
if was ~= "" and not same then
  redis.call("ZREM", P .. "p:" .. wasKind .. ":" .. was, old)
  if was == "failed" then leaveGroup(group, wasKind, old) end
end
if a.state == "" then
  if was == "" then return {0, ""} end
  return {1, number}
end

if not same then
  redis.call("SADD", KEYS[1], kind)
  redis.call("ZADD", P .. "p:" .. kind .. ":" .. a.state, 0, new)
  if a.numberKey ~= "" and number ~= a.number then redis.call("HSET", a.numberKey, a.numberField, a.id) end
end
if a.state == "failed" then joinGroup(new) end

if was == "" then tick(a.acceptedSlot, "accepted") end
local waited = was == "" or was == "accepted" or was == "failed"
if a.state == "failed" and was ~= "failed" then tick(a.endedSlot, "failed") end
if waited and (a.state == "issued" or a.state == "withdrawn" or a.state == "replaced") then
  tick(a.endedSlot, "issued")
  tick(a.endedSlot, a.took)
end
if same then return {0, ""} end
return {1, ""}`)

// placing is what place is told of one request.
type placing struct {
	key                     rowKey
	state, kind             string // state "": out of the index
	number                  string // packed
	numberKey, numberField  string // where its id is noted; "" without a number
	group                   grouping
	failedAt                int64  // Unix seconds
	acceptedSlot, endedSlot string // "": too old to be counted
	took                    string // the field that counts its duration
}

// args writes it as place reads it: names and values in turn.
func (p placing) args() []any {
	return []any{
		"prefix", prefix, "id", string(p.key[:]), "first", p.key.from(), "beyond", p.key.next().before(),
		"state", p.state, "kind", p.kind, "number", p.number, "numberKey", p.numberKey, "numberField", p.numberField,
		"group", p.group.id, "stage", p.group.stage, "cause", p.group.cause, "message", p.group.message, "failedAt", p.failedAt,
		"acceptedSlot", p.acceptedSlot, "endedSlot", p.endedSlot, "took", p.took, "slotLife", int(tempoKept.Seconds()),
	}
}

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
	placings := make([]placing, 0, len(all))
	for _, f := range all {
		if p, ok := x.placing(f, groups); ok {
			placings = append(placings, p)
		}
	}
	if len(placings) == 0 {
		return 0, nil
	}
	keys := []string{kindsKey, groupsKey, causesKey}
	run := func() (done []*redis.Cmd, err error) {
		_, err = x.Redis.Pipelined(ctx, func(pipe redis.Pipeliner) error {
			for _, p := range placings {
				done = append(done, place.EvalSha(ctx, pipe, keys, p.args()...))
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
	return x.placed(ctx, placings, done)
}

// placed counts the news, and forgets the numbers of what was taken out.
func (x *Index) placed(ctx context.Context, placings []placing, done []*redis.Cmd) (news int, err error) {
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
		if placings[i].state != "" || packed == "" {
			continue
		}
		key, field := numberPlace(unpackNumber(packed))
		if err := x.Redis.HDel(ctx, key, field).Err(); err != nil {
			return news, fmt.Errorf("%w: %w", ErrAway, err)
		}
	}
	return news, nil
}

// placing is what place is told of a request; ok is false for what cannot be one.
func (x *Index) placing(f found, groups map[string]grouping) (p placing, ok bool) {
	if p.key, ok = keyOf(f.id); !ok || f.standing == nil {
		return p, ok
	}
	s := f.standing
	state, ok := keptAs(s.State)
	if !ok {
		return p, false
	}
	p.state, p.kind, p.number = string(state), s.Kind, packNumber(s.Number)
	if s.Number != "" {
		p.numberKey, p.numberField = numberPlace(s.Number)
	}
	accepted := ledger.TimeOf(f.id)
	p.acceptedSlot = x.slotOf(accepted)
	switch {
	case state == ledger.StateFailed && s.Failure != nil:
		p.group, p.failedAt, p.endedSlot = groups[f.id], s.Failure.FailedAt.Unix(), x.slotOf(s.Failure.FailedAt)
	case s.Record != nil:
		at, exactly := issuedAt(s.Record, f.told)
		p.endedSlot, p.took = x.slotOf(at), durationField(at.Sub(accepted), exactly)
	}
	return p, true
}
