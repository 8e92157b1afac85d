package ledger

// Transition is a way from one state of a request to another. A request that was
// never seen is in the state "".
type Transition struct {
	From, To State
	By       string // who takes it: portal, worker, staff, upkeep
	When     string // what is written, or what happens
}

// Transitions is the table of all ways. docs/states.md draws it, and tests take
// each of them and no other.
//
// What only Redis knows (rendering to retrying) falls back to accepted when
// Redis is emptied or a worker dies: the ledger never said otherwise.
var Transitions = []Transition{
	{"", StateAccepted, "portal", "the request is written"},
	{StateAccepted, StateRendering, "worker", "it begins the job"},
	{StateRendering, StateSealing, "worker", "the page is drawn and has passed the gate"},
	{StateSealing, StateStoring, "worker", "the sealed document has passed inspection"},
	{StateStoring, StateIssued, "worker", "the document is stored, and its record written"},
	{StateRendering, StateRetrying, "worker", "a transient cause, or a dependency away"},
	{StateSealing, StateRetrying, "worker", "a transient cause, or a dependency away"},
	{StateStoring, StateRetrying, "worker", "a transient cause, or a dependency away"},
	{StateRetrying, StateRendering, "worker", "the pause is over, or what was away is back"},
	{StateRendering, StateFailed, "worker", "a permanent cause, or too many tries: the failure is written"},
	{StateSealing, StateFailed, "worker", "a permanent cause, or too many tries: the failure is written"},
	{StateStoring, StateFailed, "worker", "a permanent cause, or too many tries: the failure is written"},
	{StateFailed, StateAccepted, "staff", "the failure is deleted (retry)"},
	{StateFailed, StateIssued, "worker", "another run, begun before the failure, issues it all the same"},
	{StateAccepted, StateCancelled, "portal or staff", cancelled},
	{StateRendering, StateCancelled, "portal or staff", cancelled},
	{StateSealing, StateCancelled, "portal or staff", cancelled},
	{StateRetrying, StateCancelled, "portal or staff", cancelled},
	{StateFailed, StateCancelled, "portal or staff", cancelled},
	{StateIssued, StateWithdrawn, "portal or staff", "the record says so, with a reason"},
	{StateIssued, StateReplaced, "worker or staff", "the document that replaces it is issued, or was and staff say so"},
	{StateIssued, StateErased, "staff", erased},
	{StateWithdrawn, StateErased, "staff", erased},
	{StateReplaced, StateErased, "staff", erased},
}

const (
	cancelled = "a tombstone is where the document would go; of two that race, it or the document wins"
	erased    = "the record says so, and a tombstone takes the document's place"
)
