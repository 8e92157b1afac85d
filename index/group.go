package index

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"segell/ledger"
)

// groupsMost is how many groups there are before failures of a kind not seen yet
// go to the group "all others" of their cause.
const groupsMost = 500

// Group is failures alike: of one stage and cause, with the same message but for
// the values in it.
type Group struct {
	ID, Stage, Cause string
	Message          string // what the failures say, values taken out; "" in the group of all others of a cause
	First, Last      time.Time
	Count            int64
	Kinds            map[string]int64
	Sample           string // id of its newest request; "" where none is left
	Claims           []Claim
}

// Claim is the word of a member of staff: I am on it.
type Claim struct {
	Login, Name string
	Since       time.Time
}

// claimKept is how long a claim stands that nobody takes back.
const claimKept = 8 * time.Hour

// groupsFor says to which group each failure among what was found belongs. New
// groups are given while there is room. Only one process puts failures in the
// index at a time; two would at worst give a few groups too many.
func (x *Index) groupsFor(ctx context.Context, all []found) (map[string]grouping, error) {
	groups := map[string]grouping{}
	for _, f := range all {
		if f.standing != nil && f.standing.Failure != nil {
			groups[f.id] = groupOf(f.standing.Failure)
		}
	}
	if len(groups) == 0 {
		return groups, nil
	}
	names, err := x.Redis.ZRange(ctx, groupsKey, 0, -1).Result()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrAway, err)
	}
	known := map[string]bool{}
	for _, name := range names {
		known[name] = true
	}
	for _, f := range all {
		g, failed := groups[f.id]
		switch {
		case !failed || known[g.id]:
		case len(known) < groupsMost:
			known[g.id] = true
		default:
			groups[f.id] = otherOf(g.cause)
		}
	}
	return groups, nil
}

// Groups returns the groups of what is failed now, largest first, of the same size
// the latest first. The error is ErrAway.
func (x *Index) Groups(ctx context.Context) ([]Group, error) {
	names, err := x.Redis.ZRevRange(ctx, groupsKey, 0, -1).Result()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrAway, err)
	}
	groups, err := x.readGroups(ctx, names)
	if err != nil {
		return nil, err
	}
	groups = slices.DeleteFunc(groups, func(g Group) bool { return g.Count == 0 })
	slices.SortStableFunc(groups, func(a, b Group) int { return cmp.Compare(b.Count, a.Count) })
	return groups, x.fillGroups(ctx, groups)
}

var groupForm = regexp.MustCompile(`^[0-9a-f]{16}$`)

// Group returns one group, for some days also where nothing is left in it. Errors
// are ledger.ErrNotFound and ErrAway.
func (x *Index) Group(ctx context.Context, id string) (Group, error) {
	if !groupForm.MatchString(id) {
		return Group{}, ledger.ErrNotFound
	}
	groups, err := x.readGroups(ctx, []string{id})
	if err != nil {
		return Group{}, err
	}
	if len(groups) == 0 {
		return Group{}, ledger.ErrNotFound
	}
	err = x.fillGroups(ctx, groups)
	return groups[0], err
}

// readGroups reads what is kept of groups. Those that are not there are left out.
func (x *Index) readGroups(ctx context.Context, names []string) ([]Group, error) {
	if len(names) == 0 {
		return nil, nil
	}
	kept := make([]*redis.MapStringStringCmd, len(names))
	_, err := x.Redis.Pipelined(ctx, func(p redis.Pipeliner) error {
		for i, name := range names {
			kept[i] = p.HGetAll(ctx, groupKey(name))
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrAway, err)
	}
	var groups []Group
	for i, name := range names {
		if fields := kept[i].Val(); fields["cause"] != "" {
			groups = append(groups, groupFrom(name, fields))
		}
	}
	return groups, nil
}

func groupFrom(name string, fields map[string]string) Group {
	g := Group{ID: name, Stage: fields["stage"], Cause: fields["cause"], Message: fields["message"],
		First: unix(fields["first"]), Last: unix(fields["last"]), Kinds: map[string]int64{}}
	for field, text := range fields {
		if kind, ok := strings.CutPrefix(field, "n:"); ok {
			n, _ := strconv.ParseInt(text, 10, 64)
			g.Kinds[kind] = n
			g.Count += n
		}
	}
	return g
}

func unix(text string) time.Time {
	seconds, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return time.Time{}
	}
	return time.Unix(seconds, 0).UTC()
}

// fillGroups adds the newest request of each group and who is on it.
func (x *Index) fillGroups(ctx context.Context, groups []Group) error {
	if len(groups) == 0 {
		return nil
	}
	newest := make([][]*redis.StringSliceCmd, len(groups))
	claims := make([]*redis.MapStringStringCmd, len(groups))
	_, err := x.Redis.Pipelined(ctx, func(p redis.Pipeliner) error {
		for i, g := range groups {
			claims[i] = p.HGetAll(ctx, claimsKey(g.ID))
			for kind := range g.Kinds {
				newest[i] = append(newest[i], p.ZRevRangeByLex(ctx, groupPartitionKey(g.ID, kind), &redis.ZRangeBy{Min: "-", Max: "+", Count: 1}))
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("%w: %w", ErrAway, err)
	}
	for i := range groups {
		for _, of := range newest[i] {
			for _, member := range of.Val() {
				if len(member) >= idSize {
					groups[i].Sample = max(groups[i].Sample, rowKey([]byte(member[:idSize])).id())
				}
			}
		}
		groups[i].Claims = x.readClaims(claims[i].Val())
	}
	return nil
}

// claimed is a claim as it is kept under its login.
type claimed struct {
	Name  string    `json:"name"`
	Since time.Time `json:"since"`
}

func (x *Index) readClaims(fields map[string]string) (claims []Claim) {
	for login, text := range fields {
		var c claimed
		if json.Unmarshal([]byte(text), &c) == nil && x.Now().Sub(c.Since) < claimKept {
			claims = append(claims, Claim{Login: login, Name: c.Name, Since: c.Since})
		}
	}
	slices.SortFunc(claims, func(a, b Claim) int {
		return cmp.Or(a.Since.Compare(b.Since), cmp.Compare(a.Login, b.Login))
	})
	return claims
}

// Claim says for eight hours that a member of staff is on a group. To claim it
// again begins them anew. Errors are ledger.ErrNotFound, where there is no such
// group, and ErrAway.
func (x *Index) Claim(ctx context.Context, group, login, name string) error {
	if _, err := x.Group(ctx, group); err != nil {
		return err
	}
	text, err := json.Marshal(claimed{Name: name, Since: x.Now().UTC().Truncate(time.Second)})
	if err != nil {
		return err
	}
	_, err = x.Redis.Pipelined(ctx, func(p redis.Pipeliner) error {
		p.HSet(ctx, claimsKey(group), login, text)
		p.Expire(ctx, claimsKey(group), claimKept)
		p.Publish(ctx, movedName, "")
		return nil
	})
	if err != nil {
		return fmt.Errorf("%w: %w", ErrAway, err)
	}
	return nil
}

// Release takes a claim back. Where there is none it changes nothing. The error is
// ErrAway.
func (x *Index) Release(ctx context.Context, group, login string) error {
	if !groupForm.MatchString(group) {
		return nil
	}
	_, err := x.Redis.Pipelined(ctx, func(p redis.Pipeliner) error {
		p.HDel(ctx, claimsKey(group), login)
		p.Publish(ctx, movedName, "")
		return nil
	})
	if err != nil {
		return fmt.Errorf("%w: %w", ErrAway, err)
	}
	return nil
}

const (
	// emptyKept is how long a group is remembered in which nothing is left, so that
	// one that comes back is not new.
	emptyKept = 7 * 24 * time.Hour
	// emptyKeptFull is that where there is no room for new groups.
	emptyKeptFull = time.Hour
)

// dropGroup forgets one group, unless anything lies in it or did until lately, in
// one step: what comes in meanwhile is not lost with it.
//
// KEYS the groups, the group, its claims. ARGV its name, and the second before which
// the last must have come.
var dropGroup = redis.NewScript(`
local kept = redis.call("HGETALL", KEYS[2])
for i = 1, #kept, 2 do
  if string.sub(kept[i], 1, 2) == "n:" then return 0 end
  if kept[i] == "last" and tonumber(kept[i + 1]) > tonumber(ARGV[2]) then return 0 end
end
redis.call("ZREM", KEYS[1], ARGV[1])
redis.call("DEL", KEYS[2], KEYS[3])
return 1`)

// dropGroups forgets groups in which nothing has been for long.
func (x *Index) dropGroups(ctx context.Context) error {
	names, err := x.Redis.ZRange(ctx, groupsKey, 0, -1).Result()
	if err != nil {
		return fmt.Errorf("%w: %w", ErrAway, err)
	}
	keep := emptyKept
	if len(names) >= groupsMost {
		keep = emptyKeptFull
	}
	before := x.Now().Add(-keep).Unix()
	for _, name := range names {
		if err := dropGroup.Run(ctx, x.Redis, []string{groupsKey, groupKey(name), claimsKey(name)}, name, before).Err(); err != nil {
			return fmt.Errorf("%w: %w", ErrAway, err)
		}
	}
	return nil
}

// tallyGroup makes what a group counts what lies in it, and reports whether it has
// rows and does not say of which cause they are.
//
// KEYS the groups, the group, and its partitions. ARGV its name, now in seconds, and
// the kinds in the order of the partitions.
var tallyGroup = redis.NewScript(`
local any = false
for i = 3, #KEYS do
  local n = redis.call("ZCARD", KEYS[i])
  if n > 0 then
    any = true
    redis.call("HSET", KEYS[2], "n:" .. ARGV[i], n)
  else
    redis.call("HDEL", KEYS[2], "n:" .. ARGV[i])
  end
end
if not any then return 0 end
if not redis.call("ZSCORE", KEYS[1], ARGV[1]) then
  redis.call("ZADD", KEYS[1], redis.call("HGET", KEYS[2], "last") or ARGV[2], ARGV[1])
end
return 1 - redis.call("HEXISTS", KEYS[2], "cause")`)

// tallyGroups puts the groups right of which failures say that they are in them, and
// returns those of which so little is left that their failures must be looked up.
func (x *Index) tallyGroups(ctx context.Context, failed map[rowKey]string) (lost map[string]bool, err error) {
	names, err := x.Redis.ZRange(ctx, groupsKey, 0, -1).Result()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrAway, err)
	}
	kinds, err := x.Redis.SMembers(ctx, kindsKey).Result()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrAway, err)
	}
	all := map[string]bool{}
	for _, name := range names {
		all[name] = true
	}
	for _, name := range failed {
		all[name] = true
	}
	lost = map[string]bool{}
	for name := range all {
		keys, args := []string{groupsKey, groupKey(name)}, []any{name, x.Now().Unix()}
		for _, kind := range kinds {
			keys, args = append(keys, groupPartitionKey(name, kind)), append(args, kind)
		}
		answer, err := tallyGroup.Run(ctx, x.Redis, keys, args...).Int()
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrAway, err)
		}
		if answer == 1 {
			lost[name] = true
		}
	}
	return lost, nil
}
