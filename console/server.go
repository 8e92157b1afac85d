// Package console is what staff see of Segell in a browser: what needs them, why
// requests failed, one person's request, and the acts that put things right. Its
// pages are made on the server and need no JavaScript; where there is some, they
// keep themselves up to date.
//
// The frame (this file, routes, guard, page, words, live) decides who may see a
// page and what every page has in common. Each other file is one page or a few
// that belong together, with its template in templates/ and its words in locales/.
package console

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"time"

	"segell/acts"
	"segell/audit"
	"segell/index"
	"segell/ledger"
	"segell/queue"
	"segell/staff"
)

// Config is what a Console stands on. Ledger, Queue, Index, Desk, Acts, Audit, Log
// and Now are required.
type Config struct {
	Ledger *ledger.Ledger
	Queue  *queue.Queue
	Index  *index.Index
	Desk   *staff.Desk
	Acts   *acts.Acts
	Audit  *audit.Reader
	API    http.Handler                   // served below /api/; may be nil
	Health func(context.Context) []Health // may be nil
	Log    *slog.Logger
	Now    func() time.Time

	Institution string         // at the head of every page
	Logo        []byte         // SVG or PNG; the mark of Segell when empty
	Secure      bool           // it is reached by https: cookies are __Host-, HSTS is sent
	Proxies     []netip.Prefix // whose X-Forwarded-For is believed
	Zone        *time.Location // in which times are shown; Europe/Andorra when nil
	PublicURL   string         // what browsers call it, such as https://console.example; may be empty
}

// Health is how one thing that Segell depends on is doing.
type Health struct {
	Part     string            // redis, storage, workers, tsa, seal
	State    string            // well, mind, halt, unknown
	Detail   map[string]string // technical, for engineers; nothing personal
	DaysLeft *float64          // of a certificate
	Ends     time.Time         // of a certificate
	Away     Absence           // workers cannot reach it now; of the workers: something that they need
}

// Absence says for how many of the workers something is away: "" for none.
type Absence string

// Who cannot reach what a document needs makes none now.
const (
	AwayFromSome Absence = "some"
	AwayFromAll  Absence = "all"
)

// Console serves the pages. It is safe for concurrent use.
type Console struct {
	Config
	look    *look
	words   map[string]*words // by language
	streams *streams
	table   []route
	mux     *http.ServeMux
}

// New returns a Console, or an error naming every field that is missing or
// cannot be, and everything wrong with the pages themselves.
func New(config Config) (*Console, error) {
	c := &Console{Config: config}
	if err := c.check(); err != nil {
		return nil, err
	}
	c.Institution = cmp.Or(c.Institution, "Segell")
	if c.Zone == nil {
		zone, err := time.LoadLocation("Europe/Andorra")
		if err != nil {
			return nil, fmt.Errorf("the time zone of the pages: %w", err)
		}
		c.Zone = zone
	}
	var err error
	if c.words, err = readWords(localeFiles); err != nil {
		return nil, fmt.Errorf("reading the words of the console: %w", err)
	}
	if c.look, err = c.newLook(); err != nil {
		return nil, fmt.Errorf("reading the pages of the console: %w", err)
	}
	c.streams = newStreams(c.Index.Changes)
	c.table = append(c.frameRoutes(), c.pageRoutes()...)
	c.mux = c.newMux()
	return c, nil
}

func (c *Console) check() error {
	var missing []error
	for _, field := range []struct {
		name    string
		missing bool
	}{
		{"Ledger", c.Ledger == nil}, {"Queue", c.Queue == nil}, {"Index", c.Index == nil}, {"Desk", c.Desk == nil},
		{"Acts", c.Acts == nil}, {"Audit", c.Audit == nil}, {"Log", c.Log == nil}, {"Now", c.Now == nil},
	} {
		if field.missing {
			missing = append(missing, fmt.Errorf("the console needs %s", field.name))
		}
	}
	if u, err := url.Parse(c.PublicURL); c.PublicURL != "" && (err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http") {
		missing = append(missing, fmt.Errorf("the console's PublicURL %q is no address such as https://console.example", c.PublicURL))
	}
	return errors.Join(missing...)
}

// Close ends the streams of live pages, which would keep a server from shutting
// down; give it to http.Server.RegisterOnShutdown.
func (c *Console) Close() { c.streams.close() }
