//go:build pkcs11 && cgo

package pkcs11

import (
	"fmt"
	"sync"

	p11 "github.com/miekg/pkcs11"
)

// A module is a vendor's library in this process. PKCS#11 allows one start of it per process, so all keys share it.
type module struct {
	path string
	lib  *p11.Ctx

	// mu is held for reading during every call of a key and for writing while the library starts again: C_Finalize during
	// another call is undefined (PKCS#11 base specification 2.40, section 5.4).
	mu   sync.RWMutex
	life int // how often the library was started: handles of an earlier life mean nothing, or another thing

	// users counts the keys and the calls under way; no call of the library is made under this lock but the last one.
	users struct {
		sync.Mutex
		n int
	}
}

// modules are the libraries in use, by path. The lock is held while one is loaded or ended, which can hang.
var modules = struct {
	sync.Mutex
	loaded map[string]*module
}{loaded: map[string]*module{}}

// hold loads and starts the library at path, or takes the one that runs. Each hold needs a release.
func hold(path string) (*module, error) {
	modules.Lock()
	defer modules.Unlock()
	m := modules.loaded[path]
	if m == nil {
		lib := p11.New(path)
		if lib == nil {
			return nil, fmt.Errorf("%s cannot be loaded: is it there, and a PKCS#11 library for this processor?", path)
		}
		if err := lib.Initialize(); err != nil {
			lib.Destroy()
			return nil, fmt.Errorf("start %s: %w", path, err)
		}
		m = &module{path: path, lib: lib}
		modules.loaded[path] = m
	}
	m.users.Lock()
	defer m.users.Unlock()
	m.users.n++
	return m, nil
}

// again holds a module that somebody holds already, unless open says that it is too late: then there may be nobody.
func (m *module) again(open func() bool) bool {
	m.users.Lock()
	defer m.users.Unlock()
	if !open() {
		return false
	}
	m.users.n++
	return true
}

// release lets go of the library; the last one out ends it, which can hang.
func (m *module) release() {
	m.users.Lock()
	m.users.n--
	last := m.users.n == 0
	m.users.Unlock()
	if !last {
		return
	}
	modules.Lock()
	defer modules.Unlock()
	m.users.Lock()
	defer m.users.Unlock()
	if m.users.n > 0 || modules.loaded[m.path] != m {
		return // held again meanwhile, or ended by another
	}
	delete(modules.loaded, m.path)
	_ = m.lib.Finalize() // it may have ended already
	m.lib.Destroy()
}

// restart ends the library and starts it, unless that was done since life. All its sessions are gone then.
func (m *module) restart(life int) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.life != life {
		return nil
	}
	m.life++
	_ = m.lib.Finalize() // a library that could not be started before says that it is not running
	if err := m.lib.Initialize(); err != nil {
		return fmt.Errorf("start %s again: %w", m.path, err)
	}
	return nil
}
