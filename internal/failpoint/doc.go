// Package failpoint lets the fault suite end a process at a named step, move its
// clock and switch its reconciler off. Only a binary built with the tag
// failpoints obeys; any other holds nothing of it.
//
// A step is a write or read of the ledger, named by when, what and where:
// "before create documents", "after delete requests". Between any two steps lies
// everything that a process does, so these are all the places where its death
// can leave something half done. The file
// $SEGELL_FAILPOINTS_DIR/kill-<role> holds a step; the first process of that role
// (intake, worker) which comes to it takes the file away and kills itself with
// SIGKILL. The file clock there holds a duration by which every clock is ahead.
package failpoint
