package ledger

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"golang.org/x/sync/errgroup"

	"segell/storage"
)

// Changing the key of encryption takes four steps, because several processes
// read what each of them writes: a new key is added, which everybody reads and
// nobody writes with; it is promoted, and everybody writes with it; what still
// waits under the old one is encrypted again; and the old one is retired, when
// nothing lies under it any more. A process that is a step behind loses nothing:
// what it cannot read it waits for (ErrKeyUnknown).

// ErrKeyWrong says that a configured key is not the one that this bucket was
// written with.
var ErrKeyWrong = errors.New("the bucket was written with other keys")

// ErrKeyInUse says that a key may not be retired yet.
var ErrKeyInUse = errors.New("something is still encrypted under the key")

// ErrKeyStep says that a step of a rotation is not the next one.
var ErrKeyStep = errors.New("not the next step of a rotation")

// What is encrypted under the keyset, at places that are their own context.
var encryptedPrefixes = []string{requestsPrefix, workPrefix, staffTOTPPrefix}

const (
	canaryPrefix  = "keys/canary/"
	hmacCanary    = canaryPrefix + "hmac-v1"
	canaryText    = "segell"
	keysAtOnce    = 16 // objects read at a time
	canaryPurpose = "canary"
)

func canaryKey(id uint32) string { return canaryPrefix + keyID(id) }

// Primary is the id of the key that writes.
func (k *Keyset) Primary() string { return k.primaryID() }

// Old are the ids of the keys that were primary before, oldest first.
func (k *Keyset) Old() []string { return keyIDs(k.order[:slices.Index(k.order, k.primary)]) }

// Coming are the ids of the keys that were added and not yet promoted.
func (k *Keyset) Coming() []string { return keyIDs(k.order[slices.Index(k.order, k.primary)+1:]) }

func keyIDs(keys []uint32) []string {
	out := []string{}
	for _, id := range keys {
		out = append(out, keyID(id))
	}
	return out
}

// AddKey returns a keyset with one key more, which reads and does not write, and
// the key's id. It refuses a second one: ErrKeyStep.
func AddKey(json []byte) (out []byte, id string, err error) {
	k, err := ReadKeyset(json)
	if err != nil {
		return nil, "", err
	}
	if coming := k.Coming(); len(coming) > 0 {
		return nil, "", fmt.Errorf("%w: the key %s was added before and is not promoted yet", ErrKeyStep, coming[0])
	}
	handle, err := readHandle(json)
	if err != nil {
		return nil, "", err
	}
	manager := keyset.NewManagerFromHandle(handle)
	added, err := manager.Add(aead.AES256GCMKeyTemplate())
	if err != nil {
		return nil, "", fmt.Errorf("adding a key: %w", err)
	}
	if handle, err = manager.Handle(); err != nil {
		return nil, "", fmt.Errorf("adding a key: %w", err)
	}
	out, err = writeKeyset(handle)
	return out, keyID(added), err
}

// PromoteKey returns the keyset with the key that was added as its primary, and
// the key's id. It refuses where none was added: ErrKeyStep.
func PromoteKey(json []byte) (out []byte, id string, err error) {
	k, err := ReadKeyset(json)
	if err != nil {
		return nil, "", err
	}
	coming := k.Coming()
	if len(coming) == 0 {
		return nil, "", fmt.Errorf("%w: no key was added", ErrKeyStep)
	}
	handle, err := withPrimary(json, k.order[len(k.order)-1])
	if err != nil {
		return nil, "", err
	}
	out, err = writeKeyset(handle)
	return out, coming[len(coming)-1], err
}

// RetireKeys returns the keyset without the keys that were primary before, and
// their ids. It refuses where there is none: ErrKeyStep. Whether they may go is
// for Ledger.KeyUse to say.
func RetireKeys(json []byte) (out []byte, retired []string, err error) {
	k, err := ReadKeyset(json)
	if err != nil {
		return nil, nil, err
	}
	if len(k.Old()) == 0 {
		return nil, nil, fmt.Errorf("%w: no key was primary before %s", ErrKeyStep, k.Primary())
	}
	handle, err := readHandle(json)
	if err != nil {
		return nil, nil, err
	}
	manager := keyset.NewManagerFromHandle(handle)
	for _, id := range k.order[:slices.Index(k.order, k.primary)] {
		if err := manager.Delete(id); err != nil {
			return nil, nil, fmt.Errorf("retiring a key: %w", err)
		}
	}
	if handle, err = manager.Handle(); err != nil {
		return nil, nil, fmt.Errorf("retiring a key: %w", err)
	}
	out, err = writeKeyset(handle)
	return out, k.Old(), err
}

// CheckKeys is CompareKeys, and adds to the bucket what it does not know yet of
// the configured keys: for processes that write with them. Nothing is written
// where they are others.
func (l *Ledger) CheckKeys(ctx context.Context) (missing []string, err error) {
	there, missing, err := l.compareKeys(ctx)
	if err != nil {
		return missing, err
	}
	return missing, l.writeCanaries(ctx, there)
}

// CompareKeys compares the configured keys with those that the bucket was written
// with, by a small object for each, and changes nothing. It returns an error
// wrapping ErrKeyWrong where they are others; and the ids of keys that the bucket
// knows and this keyset does not hold, which is no fault while a rotation is under
// way: what was written with them has to wait here. A bucket that knows no keys
// yet takes any.
func (l *Ledger) CompareKeys(ctx context.Context) (missing []string, err error) {
	_, missing, err = l.compareKeys(ctx)
	return missing, err
}

// compareKeys also tells which canaries lie in the bucket.
func (l *Ledger) compareKeys(ctx context.Context) (there map[string]bool, missing []string, err error) {
	there = map[string]bool{}
	for info, err := range l.objects.List(ctx, canaryPrefix, "") {
		if err != nil {
			return nil, nil, fmt.Errorf("comparing the keys: %w", err)
		}
		there[info.Key] = true
	}
	known := 0
	for _, id := range l.keyset.order {
		if !there[canaryKey(id)] {
			continue
		}
		if err := l.checkCanary(ctx, id); err != nil {
			return nil, nil, err
		}
		known++
	}
	if there[hmacCanary] {
		if err := l.checkHMACCanary(ctx); err != nil {
			return nil, nil, err
		}
	}
	for key := range there {
		if id := strings.TrimPrefix(key, canaryPrefix); key != hmacCanary && !l.holds(id) {
			missing = append(missing, id)
		}
	}
	slices.Sort(missing)
	if known == 0 && len(missing) > 0 {
		return nil, missing, fmt.Errorf("%w: it knows the keys %s, and the keyset holds none of them", ErrKeyWrong, strings.Join(missing, ", "))
	}
	return there, missing, nil
}

func (l *Ledger) holds(id string) bool {
	number, err := strconv.ParseUint(id, 10, 32)
	return err == nil && l.keyset.known[uint32(number)] != nil
}

func (l *Ledger) checkCanary(ctx context.Context, id uint32) error {
	object, err := l.objects.Get(ctx, canaryKey(id))
	if errors.Is(err, storage.ErrNotFound) {
		return nil // retired while we looked
	}
	if err != nil {
		return fmt.Errorf("comparing the keys: %w", err)
	}
	plain, err := l.keyset.open(object.Body, canaryKey(id))
	if err != nil || string(plain) != canaryText {
		return fmt.Errorf("%w: the keyset's key %d is another than the bucket's of that id", ErrKeyWrong, id)
	}
	return nil
}

func (l *Ledger) checkHMACCanary(ctx context.Context) error {
	object, err := l.objects.Get(ctx, hmacCanary)
	if err != nil {
		return fmt.Errorf("comparing the keys: %w", err)
	}
	if subtle.ConstantTimeCompare(object.Body, []byte(l.mac(canaryPurpose))) != 1 {
		return fmt.Errorf("%w: the HMAC key is another; with this one no holder, code or Idempotency-Key would be found again", ErrKeyWrong)
	}
	return nil
}

func (l *Ledger) writeCanaries(ctx context.Context, there map[string]bool) error {
	for _, id := range l.keyset.order {
		if there[canaryKey(id)] {
			continue
		}
		sealed, err := l.keyset.known[id].Encrypt([]byte(canaryText), []byte(canaryKey(id)))
		if err != nil {
			return fmt.Errorf("encrypting a canary: %w", err)
		}
		_, err = l.objects.Create(ctx, canaryKey(id), sealed, storage.Put{})
		if errors.Is(err, storage.ErrExists) { // another process was first, perhaps with another key
			err = l.checkCanary(ctx, id)
		}
		if err != nil {
			return fmt.Errorf("writing a canary: %w", err)
		}
	}
	if there[hmacCanary] {
		return nil
	}
	_, err := l.objects.Create(ctx, hmacCanary, []byte(l.mac(canaryPurpose)), storage.Put{})
	if errors.Is(err, storage.ErrExists) {
		return l.checkHMACCanary(ctx)
	}
	if err != nil {
		return fmt.Errorf("writing a canary: %w", err)
	}
	return nil
}

// KeySeen reports whether a process has started with a key: it left its canary.
func (l *Ledger) KeySeen(ctx context.Context, id string) (bool, error) {
	_, err := l.objects.Head(ctx, canaryPrefix+id)
	if errors.Is(err, storage.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("looking for a canary: %w", err)
	}
	return true, nil
}

// KeyUse counts what waits encrypted in the bucket, by the id of its key. It
// reads all of it: with a long backlog that takes a while.
func (l *Ledger) KeyUse(ctx context.Context) (map[string]int, error) {
	counts := map[uint32]*atomic.Int64{}
	for _, id := range l.keyset.order {
		counts[id] = &atomic.Int64{}
	}
	var strange atomic.Int64 // under keys that we do not hold
	err := l.eachEncrypted(ctx, func(_ context.Context, id uint32, _ storage.Object) error {
		if counts[id] == nil {
			strange.Add(1)
			return nil
		}
		counts[id].Add(1)
		return nil
	})
	use := map[string]int{}
	for id, n := range counts {
		use[keyID(id)] = int(n.Load())
	}
	if n := strange.Load(); n > 0 {
		use["unknown"] = int(n)
	}
	return use, err
}

// Reencrypt encrypts under the primary key what waits under another one, and
// returns how many objects it was. It runs beside intake and workers: an object
// that was finished meanwhile is passed over, and never comes back. It may be
// run again at any time.
func (l *Ledger) Reencrypt(ctx context.Context) (int, error) {
	var done atomic.Int64
	err := l.eachEncrypted(ctx, func(ctx context.Context, id uint32, object storage.Object) error {
		if id == l.keyset.primary {
			return nil
		}
		plain, err := l.keyset.open(object.Body, object.Key)
		if err != nil {
			return fmt.Errorf("reading %s: %w", object.Key, err)
		}
		sealed, err := l.keyset.seal(plain, object.Key)
		if err != nil {
			return fmt.Errorf("encrypting %s: %w", object.Key, err)
		}
		metadata := map[string]string{}
		for name, value := range object.Metadata {
			metadata[name] = value
		}
		metadata[metadataKeyID] = l.keyset.primaryID()
		_, err = l.objects.Replace(ctx, object.Key, object.ETag, sealed, storage.Put{ContentType: "application/octet-stream", Metadata: metadata})
		switch {
		case errors.Is(err, storage.ErrChanged):
			return nil // finished, or written afresh, or our own write before a lost reply
		case err != nil:
			return fmt.Errorf("writing %s: %w", object.Key, err)
		}
		done.Add(1)
		return nil
	})
	return int(done.Load()), err
}

// eachEncrypted calls fn with everything that is encrypted, some at a time. It
// ends with the first error.
func (l *Ledger) eachEncrypted(ctx context.Context, fn func(ctx context.Context, id uint32, object storage.Object) error) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(keysAtOnce)
	var listing error
	for _, prefix := range encryptedPrefixes {
		for info, err := range l.objects.List(ctx, prefix, "") {
			if err != nil {
				listing = fmt.Errorf("listing what is encrypted: %w", err)
				break
			}
			group.Go(func() error {
				object, err := l.objects.Get(ctx, info.Key)
				if errors.Is(err, storage.ErrNotFound) {
					return nil // finished meanwhile
				}
				if err != nil {
					return fmt.Errorf("reading what is encrypted: %w", err)
				}
				id, ok := keyIDOf(object.Body)
				if !ok {
					return fmt.Errorf("%w: %s is not encrypted", ErrDamaged, object.Key)
				}
				return fn(ctx, id, object)
			})
		}
	}
	// The error of an object ends the listing too, and is the cause.
	if err := group.Wait(); err != nil {
		return err
	}
	return listing
}

// Retire takes back the canaries of keys that RetireKeys took out of the keyset
// and under which nothing lies: processes that start later do not miss them. The
// canary of a key that the keyset holds stays, and so does every one that is not
// named: it is of a keyset that this process does not know. It returns
// ErrKeyInUse if something lies under a key that the keyset does not hold.
func (l *Ledger) Retire(ctx context.Context, retired []string) error {
	use, err := l.KeyUse(ctx)
	if err != nil {
		return err
	}
	if use["unknown"] > 0 {
		return fmt.Errorf("%w: %d under one that the keyset does not hold", ErrKeyInUse, use["unknown"])
	}
	for _, id := range retired {
		number, err := strconv.ParseUint(id, 10, 32)
		if err != nil || l.holds(id) {
			continue
		}
		if err := l.objects.Delete(ctx, canaryKey(uint32(number))); err != nil {
			return fmt.Errorf("deleting a canary: %w", err)
		}
	}
	return nil
}
