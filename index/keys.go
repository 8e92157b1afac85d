package index

import (
	"slices"

	"segell/ledger"
)

// prefix begins every key. What is in braces has all of them in one slot of a
// cluster, so that one script can change them together.
const prefix = "segell:{index}:"

// format is written with the index. Another version of Segell that keeps it in
// another form builds it again.
const format = "2"

const (
	stateKey  = prefix + "state"  // hash: what was built and swept when
	kindsKey  = prefix + "kinds"  // set of the kinds that have partitions
	groupsKey = prefix + "groups" // sorted set of the groups, by when each was last seen
	causesKey = prefix + "causes" // set of the causes that have partitions
	movedName = prefix + "moved"  // channel: something changed
)

// kept are the states that have partitions. What a live job does is not among
// them: that is for the queue to say.
var kept = []ledger.State{ledger.StateAccepted, ledger.StateFailed, ledger.StateIssued, ledger.StateWithdrawn, ledger.StateReplaced,
	ledger.StateCancelled, ledger.StateErased}

// ended are those in the register.
var ended = kept[2:]

// keptAs is the state under which a request lies in the index.
func keptAs(state ledger.State) (ledger.State, bool) {
	switch state {
	case ledger.StateRendering, ledger.StateSealing, ledger.StateStoring, ledger.StateRetrying:
		return ledger.StateAccepted, true
	}
	return state, slices.Contains(kept, state)
}

func partitionKey(kind string, state ledger.State) string {
	return prefix + "p:" + kind + ":" + string(state)
}
func groupPartitionKey(group, kind string) string { return prefix + "f:" + group + ":" + kind }
func causePartitionKey(cause, kind string) string { return prefix + "c:" + cause + ":" + kind }
func groupKey(group string) string                { return prefix + "g:" + group }
func claimsKey(group string) string               { return prefix + "claims:" + group }
