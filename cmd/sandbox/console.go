package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"text/tabwriter"

	"golang.org/x/sync/errgroup"

	"segell/cmd/internal/press"
	"segell/staff"
)

// members are the members of staff of a sandbox: one for each role, and one more
// who may act, for what needs a second person.
var members = []staff.Account{
	{Login: "look", Name: "Laia Mirabell", Roles: []staff.Role{staff.Look}},
	{Login: "act", Name: "Aniol Feixa", Roles: []staff.Role{staff.Act}},
	{Login: "act2", Name: "Berta Segona", Roles: []staff.Role{staff.Act}},
	{Login: "audit", Name: "Aura Comella", Roles: []staff.Role{staff.Audit}},
}

// fourEyes is from how many requests on a sandbox wants a second person: few
// enough to be seen with -troubles.
const fourEyes = 30

// desk is the console of a sandbox.
type desk struct {
	*press.Office
	address string
}

// openConsole serves the console; door is where the API listens.
func openConsole(ctx context.Context, group *errgroup.Group, p *press.Press, o options, door string) (*desk, error) {
	address := o.console
	if address == "" {
		address = after(o.listen, door)
	}
	listener, err := listen("-console", address, "127.0.0.1:8643")
	if err != nil {
		return nil, err
	}
	d := &desk{address: "http://" + listener.Addr().String()}
	if d.Office, err = p.Console(press.Console{URL: d.address, FourEyes: fourEyes}); err != nil {
		listener.Close()
		return nil, err
	}
	group.Go(func() error { return press.Serve(ctx, listener, d.Handler, o.log, d.Close) })
	group.Go(func() error { d.Run(ctx); return nil })
	return d, nil
}

// after is the address one port after another, or a free one where that was left
// to the system.
func after(asked, got string) string {
	host, port, err := net.SplitHostPort(got)
	if err != nil || strings.HasSuffix(asked, ":0") {
		return net.JoinHostPort(host, "0")
	}
	n, err := strconv.Atoi(port)
	if err != nil || n >= 65535 {
		return net.JoinHostPort(host, "0")
	}
	return net.JoinHostPort(host, strconv.Itoa(n+1))
}

// hire gives every member an account, with the password that the folder keeps.
func (d *desk) hire(ctx context.Context, passwords map[string]string) error {
	for _, member := range members {
		_, err := d.Desk.Account(ctx, member.Login)
		if errors.Is(err, staff.ErrNotFound) {
			_, err = d.Desk.Add(ctx, staff.Actor{Who: "sandbox", From: "sandbox"}, member, passwords[member.Login])
		}
		if err != nil {
			return fmt.Errorf("the account %s of the console: %w", member.Login, err)
		}
	}
	return nil
}

// words tell where the console is and who may log in.
func (d *desk) words(passwords map[string]string) string {
	var text strings.Builder
	fmt.Fprintf(&text, "\nThe console of staff is on %s\n", d.address)
	table := tabwriter.NewWriter(&text, 0, 4, 3, ' ', 0)
	fmt.Fprintln(table, "  LOGIN\tPASSWORD\tMAY")
	for _, member := range members {
		may := map[staff.Role]string{staff.Look: "look", staff.Act: "look and act", staff.Audit: "look, and read the audit trail"}[member.Roles[0]]
		if member.Login == "act2" {
			may += fmt.Sprintf(": the second person, for more than %d at once", fourEyes)
		}
		fmt.Fprintf(table, "  %s\t%s\t%s\n", member.Login, passwords[member.Login], may)
	}
	_ = table.Flush() // into memory
	return text.String()
}
