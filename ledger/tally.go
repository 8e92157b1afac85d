package ledger

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"segell/storage"
)

// tallyKey holds what members of staff did of late of what one person may do only
// so much alone. It is one object that changes by If-Match, so that of two
// processes which count at once neither passes over what the other lets through.
const tallyKey = "control/tally"

// TallyRow is a bulk, or the acts on one request each of about a minute.
type TallyRow struct {
	Who   string    `json:"who"`            // login
	Bulk  string    `json:"bulk,omitempty"` // id of the bulk
	Count int       `json:"count"`          // requests
	At    time.Time `json:"at"`             // of the last of them
}

// Tally returns what was counted of late: nothing where nothing ever was.
func (l *Ledger) Tally(ctx context.Context) ([]TallyRow, error) {
	rows, _, err := l.tally(ctx)
	return rows, err
}

func (l *Ledger) tally(ctx context.Context) (rows []TallyRow, etag string, err error) {
	object, err := l.readJSON(ctx, tallyKey, &rows)
	if errors.Is(err, ErrNotFound) {
		return nil, "", nil
	}
	if err != nil {
		return nil, "", fmt.Errorf("reading what was done of late: %w", err)
	}
	return rows, object.ETag, nil
}

// ChangeTally changes the tally by If-Match. change may be called several times,
// each time with the rows as they are then; what it returns ends the change and is
// returned. A write whose reply was lost may be changed twice: it counts too much
// rather than too little.
func (l *Ledger) ChangeTally(ctx context.Context, change func([]TallyRow) ([]TallyRow, error)) error {
	for range amendMost {
		rows, etag, err := l.tally(ctx)
		if err != nil {
			return err
		}
		if rows, err = change(rows); err != nil {
			return err
		}
		body, err := json.Marshal(rows)
		if err != nil {
			return fmt.Errorf("encoding what was done of late: %w", err)
		}
		if etag == "" {
			_, err = l.objects.Create(ctx, tallyKey, body, storage.Put{ContentType: jsonType})
		} else {
			_, err = l.objects.Replace(ctx, tallyKey, etag, body, storage.Put{ContentType: jsonType})
		}
		if err == nil {
			return nil
		}
		if !errors.Is(err, storage.ErrExists) && !errors.Is(err, storage.ErrChanged) {
			return fmt.Errorf("counting what was done of late: %w", err)
		}
	}
	return fmt.Errorf("counting what was done of late: %w: others change it all the time", storage.ErrUnavailable)
}
