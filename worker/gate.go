package worker

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// gate is the client on which one asynq server stands. asynq cannot be told to
// rest: its own pause of a queue holds for every worker and outlives them all. So
// while this worker must not take a job, the one command with which asynq takes
// one is answered here with "there is none". Nothing else is touched: what runs
// goes on, leases are renewed, jobs stay pending for whoever may take them.
type gate struct {
	redis.UniversalClient
	mayTake  func() bool
	tookNone func()
}

// redisPause is how long asynq is kept from asking again a Redis that is away: it
// would ask without a pause.
const redisPause = 250 * time.Millisecond

func (g gate) EvalSha(ctx context.Context, sha1 string, keys []string, args ...any) *redis.Cmd {
	return g.pass(ctx, keys, func() *redis.Cmd { return g.UniversalClient.EvalSha(ctx, sha1, keys, args...) })
}

func (g gate) Eval(ctx context.Context, script string, keys []string, args ...any) *redis.Cmd {
	return g.pass(ctx, keys, func() *redis.Cmd { return g.UniversalClient.Eval(ctx, script, keys, args...) })
}

func (g gate) pass(ctx context.Context, keys []string, eval func() *redis.Cmd) *redis.Cmd {
	if !dequeues(keys) {
		return eval()
	}
	if !g.mayTake() {
		none := redis.NewCmd(ctx)
		none.SetErr(redis.Nil)
		return none
	}
	answer := eval()
	switch err := answer.Err(); {
	case err == nil, redis.HasErrorPrefix(err, "NOSCRIPT"): // it asks again with the script's text
	case errors.Is(err, redis.Nil):
		g.tookNone()
	default:
		g.tookNone()
		time.Sleep(redisPause)
	}
	return answer
}

// dequeues knows the script that takes a job by the keys it is given, those of
// asynq 0.26; a test holds them against it.
func dequeues(keys []string) bool {
	return len(keys) == 4 && strings.HasSuffix(keys[0], ":pending") && strings.HasSuffix(keys[1], ":paused") &&
		strings.HasSuffix(keys[2], ":active") && strings.HasSuffix(keys[3], ":lease")
}
