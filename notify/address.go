package notify

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"time"
)

// errForbidden: the endpoint's name leads to a network that Segell does not call.
// The address is not told: it could be looked up through us.
var errForbidden = errors.New("its name leads to a network that is not public and not allowed")

// special are the networks that are not on the public internet, or lead
// elsewhere than they seem to (IANA's special-purpose registries, RFC 6890). IPv6
// is the other way round: only 2000::/3 is public, but for what is listed here.
var special = func() []netip.Prefix {
	var all []netip.Prefix
	for _, text := range []string{
		"0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24",
		"192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
		"2001::/23",     // Teredo and other protocols that carry an IPv4 address
		"2001:db8::/32", // examples
		"2002::/16",     // 6to4 carries an IPv4 address
		"3fff::/20",     // examples
	} {
		all = append(all, netip.MustParsePrefix(text))
	}
	return all
}()

var publicIPv6 = netip.MustParsePrefix("2000::/3")

// permitted reports whether an address may be called: it is public, or in a
// network that the operator allows.
func permitted(address netip.Addr, allow []netip.Prefix) bool {
	if !address.IsValid() || address.Zone() != "" {
		return false
	}
	address = address.Unmap() // ::ffff:10.0.0.1 is 10.0.0.1
	in := func(p netip.Prefix) bool { return p.Contains(address) }
	if slices.ContainsFunc(allow, in) {
		return true
	}
	return !slices.ContainsFunc(special, in) && (address.Is4() || publicIPv6.Contains(address))
}

// resolver looks a name up; net.Resolver is one.
type resolver interface {
	LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error)
}

// dialer calls endpoints by addresses that it has checked itself: the name is
// looked up once, so that it cannot lead elsewhere between check and call.
type dialer struct {
	allow    []netip.Prefix
	resolver resolver
	net      net.Dialer
}

const dialTimeout = 5 * time.Second

func newDialer(allow []netip.Prefix) *dialer {
	return &dialer{allow: allow, resolver: net.DefaultResolver, net: net.Dialer{Timeout: dialTimeout, FallbackDelay: -1}}
}

// DialContext is that of an http.Transport. A name of which one address is not
// permitted is not called at all: whoever gave it that address meant us to.
func (d *dialer) DialContext(ctx context.Context, network, hostport string) (net.Conn, error) {
	host, port, err := net.SplitHostPort(hostport)
	if err != nil {
		return nil, err
	}
	addresses, err := d.lookup(ctx, host)
	if err != nil {
		return nil, err
	}
	for _, address := range addresses {
		if !permitted(address, d.allow) {
			return nil, errForbidden
		}
	}
	err = errors.New("its name has no address")
	for _, address := range addresses {
		var conn net.Conn
		if conn, err = d.net.DialContext(ctx, network, net.JoinHostPort(address.Unmap().String(), port)); err == nil {
			return conn, nil
		}
	}
	return nil, err
}

func (d *dialer) lookup(ctx context.Context, host string) ([]netip.Addr, error) {
	if address, err := netip.ParseAddr(host); err == nil {
		return []netip.Addr{address}, nil
	}
	addresses, err := d.resolver.LookupNetIP(ctx, "ip", host)
	if err != nil {
		return nil, fmt.Errorf("looking up its name: %w", err)
	}
	return addresses, nil
}
