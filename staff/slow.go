package staff

import (
	"container/list"
	"net/netip"
	"sync"
	"time"
)

// A wrong try costs waiting before the next one is judged: nothing for the first
// few, then a second, and twice as long after each, up to a bound. It is counted
// by address, whatever the login; by login, whatever the address; and by login
// for wrong codes after a right password, which only somebody gets to who has it.
//
// The bounds are short for addresses and logins. Still, a stranger who never stops
// asking can take every moment at which a try is judged. So who tries from a browser
// that its person got in with before (see keepsake.go), or within a session, is
// counted apart, and by that alone: no stranger can slow them, and with a stolen
// keepsake or session tries are as few as without.

// brake is how wrong tries slow down the next ones.
type brake struct {
	free   int           // tries that cost nothing
	most   time.Duration // waiting that is never exceeded
	forget time.Duration // after so long without a try one is forgiven
	marks  memory[mark]
}

type mark struct {
	tries int
	last  time.Time
}

// left is what counts of the tries at a time.
func (b *brake) left(m mark, now time.Time) int {
	return max(0, m.tries-int(max(0, now.Sub(m.last))/b.forget))
}

// wait says how long the next try must wait.
func (b *brake) wait(m mark, now time.Time) time.Duration {
	over := b.left(m, now) - b.free
	if over < 0 {
		return 0
	}
	pause := b.most
	if over < 20 { // 2^20 s is more than any bound
		pause = min(pause, time.Second<<over)
	}
	return max(0, pause-now.Sub(m.last))
}

// brakes are all of them.
type brakes struct {
	mu        sync.Mutex
	addresses brake
	logins    brake
	known     brake // by keepsake, or by login within sessions
	codes     brake // by login, or by keepsake
}

func newBrakes() *brakes {
	return &brakes{
		addresses: brake{free: 10, most: time.Minute, forget: 3 * time.Minute},
		logins:    brake{free: 5, most: 30 * time.Second, forget: 3 * time.Minute},
		known:     brake{free: 5, most: 30 * time.Second, forget: 3 * time.Minute},
		codes:     brake{free: 5, most: 15 * time.Minute, forget: 30 * time.Minute},
	}
}

// try is a try that is under way. It counts as wrong until it is taken back, so
// that many at once are slowed as many one after another are.
type try struct {
	brakes  *brakes
	who     string // login, or the id of a keepsake
	charged []charge
}

type charge struct {
	brake *brake
	key   string
}

// begin counts a try, or says how long it must wait. A try that must wait does
// not count: it makes nobody wait longer. known is the id of the keepsake that was
// shown, if any; login is empty where the issuer says who it is.
func (b *brakes) begin(login, known string, from netip.Addr, now time.Time) (*try, time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if known != "" {
		t := &try{brakes: b, who: known}
		return t, t.charge(now, charge{&b.known, known})
	}
	t := &try{brakes: b, who: login}
	charges := []charge{{&b.addresses, network(from)}}
	if login != "" {
		charges = append(charges, charge{&b.logins, login})
	}
	return t, t.charge(now, charges...)
}

// inSession stands for a keepsake where somebody is logged in and proves themselves
// once more.
func inSession(login string) string { return "session of " + login }

// charge counts a try with all of some brakes or with none. The lock is held.
func (t *try) charge(now time.Time, all ...charge) time.Duration {
	var wait time.Duration
	for _, c := range all {
		m, _ := c.brake.marks.get(c.key)
		wait = max(wait, c.brake.wait(m, now))
	}
	if wait > 0 {
		return wait
	}
	for _, c := range all {
		m, _ := c.brake.marks.get(c.key)
		c.brake.marks.put(c.key, mark{c.brake.left(m, now) + 1, now})
	}
	t.charged = append(t.charged, all...)
	return 0
}

// code counts the try of a second factor, or says how long it must wait.
func (t *try) code(now time.Time) time.Duration {
	t.brakes.mu.Lock()
	defer t.brakes.mu.Unlock()
	return t.charge(now, charge{&t.brakes.codes, t.who})
}

// back says that the try was not wrong.
func (t *try) back() {
	t.brakes.mu.Lock()
	defer t.brakes.mu.Unlock()
	for _, c := range t.charged {
		m, _ := c.brake.marks.get(c.key)
		c.brake.marks.put(c.key, mark{max(0, m.tries-1), m.last})
	}
	t.charged = nil
}

// network is what counts as one address: an IPv4 address, or the /64 that an IPv6
// subscriber has to choose addresses from.
func network(address netip.Addr) string {
	bits := 32
	if address = address.Unmap(); address.Is6() {
		bits = 64
	}
	prefix, _ := address.Prefix(bits) // the zero address gives the zero prefix: one place more
	return prefix.String()
}

// memory is a map that forgets what was not written for longest. The zero value
// is empty and ready.
type memory[V any] struct {
	known map[string]*list.Element
	order list.List // of remembered[V], written last first
}

type remembered[V any] struct {
	key   string
	value V
}

// memoryMost is how much is remembered: some 4 MB.
const memoryMost = 1 << 15

func (m *memory[V]) get(key string) (V, bool) {
	element, known := m.known[key]
	if !known {
		var none V
		return none, false
	}
	return element.Value.(remembered[V]).value, true
}

func (m *memory[V]) put(key string, value V) {
	if m.known == nil {
		m.known = map[string]*list.Element{}
	}
	if element, known := m.known[key]; known {
		element.Value = remembered[V]{key, value}
		m.order.MoveToFront(element)
		return
	}
	m.known[key] = m.order.PushFront(remembered[V]{key, value})
	if m.order.Len() > memoryMost {
		oldest := m.order.Back()
		m.order.Remove(oldest)
		delete(m.known, oldest.Value.(remembered[V]).key)
	}
}
