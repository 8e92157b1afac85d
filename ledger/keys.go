package ledger

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
)

// Where things lie in the bucket. Every key follows from the id, which carries
// its time, so retention, renewal and reconciling can walk days. Nothing in a
// key says who a document is about: holders, clients and keys of idempotency
// appear as HMACs, codes as hashes.
const (
	requestsPrefix = "requests/"
	failuresPrefix = "failures/"
)

func requestKey(id string) string { return requestsPrefix + day(id) + "/" + id }
func failureKey(id string) string { return failuresPrefix + day(id) + "/" + id }
func recordKey(id string) string  { return "records/" + day(id) + "/" + id }

// DocumentKey is where the sealed PDF of a request lies.
func DocumentKey(id string) string { return "documents/" + day(id) + "/" + id + ".pdf" }

const holdersPrefix = "holders/v1/"

func holderKey(holder, id string) string { return holdersPrefix + holder + "/" + id }

const idempotencyPrefix = "idempotency/v1/"

func idempotencyKey(digest string) string { return idempotencyPrefix + digest }

const codesPrefix = "codes/v1/"

func codeKey(code CSV) string { return codesPrefix + codeName(code) }

func codeName(code CSV) string {
	sum := sha256.Sum256([]byte(code))
	return hex.EncodeToString(sum[:])
}
func counterKey(year int, code string) string { return fmt.Sprintf("counters/%d/%s", year, code) }

// idOfKey returns the id that ends a key, or "" where the key holds none.
func idOfKey(key string) string {
	id := key[strings.LastIndexByte(key, '/')+1:]
	if CheckID(id) != nil {
		return ""
	}
	return id
}
