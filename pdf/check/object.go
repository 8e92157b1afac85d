package check

import (
	"bytes"
	"fmt"
	"strconv"
)

// The kinds of PDF objects (ISO 32000-1, 7.3) are Go values: nil, bool, int, float64, and these.
type (
	name   string
	text   string // a string's bytes
	ref    int    // an object number; generations other than 0 are refused
	array  []any
	dict   map[name]any
	stream struct {
		dict
		data []byte // as in the file
	}
	keyword string
)

// lexer reads objects from bytes.
type lexer struct {
	b  []byte
	at int
}

// syntaxError is where and how bytes are not PDF.
type syntaxError struct {
	at   int
	what string
}

func (e syntaxError) Error() string { return fmt.Sprintf("byte %d: %s", e.at, e.what) }

func (l *lexer) fail(what string) error { return syntaxError{l.at, what} }

func white(c byte) bool {
	return c == ' ' || c == '\n' || c == '\r' || c == '\t' || c == '\f' || c == 0
}

func delimiter(c byte) bool { return bytes.IndexByte([]byte("()<>[]{}/%"), c) >= 0 }

func (l *lexer) skip() {
	for l.at < len(l.b) {
		switch c := l.b[l.at]; {
		case white(c):
			l.at++
		case c == '%':
			for l.at < len(l.b) && l.b[l.at] != '\n' && l.b[l.at] != '\r' {
				l.at++
			}
		default:
			return
		}
	}
}

func (l *lexer) end() bool {
	l.skip()
	return l.at >= len(l.b)
}

const deepest = 64

// object reads the next object; a word that is none comes back as a keyword.
func (l *lexer) object(depth int) (any, error) {
	if l.end() {
		return nil, l.fail("unexpected end")
	}
	if depth > deepest {
		return nil, l.fail("nested too deeply")
	}
	switch c := l.b[l.at]; {
	case c == '/':
		return l.name()
	case c == '(':
		return l.literal()
	case c == '<' && l.at+1 < len(l.b) && l.b[l.at+1] == '<':
		return l.dict(depth)
	case c == '<':
		return l.hex()
	case c == '[':
		return l.array(depth)
	}
	return l.word()
}

func (l *lexer) dict(depth int) (any, error) {
	l.at += 2
	d := dict{}
	for {
		if l.end() {
			return nil, l.fail("a dictionary does not end")
		}
		if bytes.HasPrefix(l.b[l.at:], []byte(">>")) {
			l.at += 2
			return d, nil
		}
		if l.b[l.at] != '/' {
			return nil, l.fail("a dictionary's key is no name")
		}
		key, err := l.name()
		if err != nil {
			return nil, err
		}
		if _, twice := d[key]; twice {
			return nil, l.fail("a dictionary has a key twice")
		}
		if d[key], err = l.value(depth + 1); err != nil {
			return nil, err
		}
	}
}

func (l *lexer) array(depth int) (any, error) {
	l.at++
	a := array{}
	for {
		if l.end() {
			return nil, l.fail("an array does not end")
		}
		if l.b[l.at] == ']' {
			l.at++
			return a, nil
		}
		v, err := l.value(depth + 1)
		if err != nil {
			return nil, err
		}
		a = append(a, v)
	}
}

// word reads a number, true, false, null or a keyword.
func (l *lexer) word() (any, error) {
	start := l.at
	for l.at < len(l.b) && !white(l.b[l.at]) && !delimiter(l.b[l.at]) {
		l.at++
	}
	word := string(l.b[start:l.at])
	switch word {
	case "":
		return nil, l.fail("unexpected delimiter")
	case "true":
		return true, nil
	case "false":
		return false, nil
	case "null":
		return nil, nil
	}
	if n, err := strconv.Atoi(word); err == nil {
		return n, nil
	}
	if c := word[0]; c >= '0' && c <= '9' || c == '-' || c == '+' || c == '.' {
		f, err := strconv.ParseFloat(word, 64)
		if err != nil {
			return nil, l.fail("not a number")
		}
		return f, nil
	}
	return keyword(word), nil
}

// value reads an object that must not be a keyword; "12 0 R" is a reference.
func (l *lexer) value(depth int) (any, error) {
	v, err := l.object(depth)
	if err != nil {
		return nil, err
	}
	if n, ok := v.(int); ok {
		back := l.at
		if g, err := l.object(depth); err == nil && g == 0 {
			if r, err := l.object(depth); err == nil && r == keyword("R") {
				return ref(n), nil
			}
		}
		l.at = back
	}
	if k, ok := v.(keyword); ok {
		return nil, l.fail("unexpected word " + string(k))
	}
	return v, nil
}

func (l *lexer) name() (name, error) {
	l.at++
	var b []byte
	for l.at < len(l.b) && !white(l.b[l.at]) && !delimiter(l.b[l.at]) {
		c := l.b[l.at]
		if c == '#' {
			if l.at+2 >= len(l.b) {
				return "", l.fail("a name is cut short")
			}
			v, err := strconv.ParseUint(string(l.b[l.at+1:l.at+3]), 16, 8)
			if err != nil {
				return "", l.fail("a name has a wrong escape")
			}
			c = byte(v)
			l.at += 2
		}
		b = append(b, c)
		l.at++
	}
	return name(b), nil
}

func (l *lexer) literal() (text, error) {
	l.at++
	var b []byte
	for depth := 1; l.at < len(l.b); l.at++ {
		c := l.b[l.at]
		switch c {
		case '(':
			depth++
		case ')':
			if depth--; depth == 0 {
				l.at++
				return text(b), nil
			}
		case '\\':
			if l.at++; l.at == len(l.b) {
				return "", l.fail("a string does not end")
			}
			switch e := l.b[l.at]; e {
			case 'n':
				c = '\n'
			case 'r':
				c = '\r'
			case 't':
				c = '\t'
			case '(', ')', '\\':
				c = e
			default:
				return "", l.fail("a string has an escape this checker does not read")
			}
		}
		b = append(b, c)
	}
	return "", l.fail("a string does not end")
}

func (l *lexer) hex() (text, error) {
	l.at++
	var b []byte
	digits, v := 0, byte(0)
	for l.at < len(l.b) {
		c := l.b[l.at]
		l.at++
		switch {
		case c == '>':
			if digits%2 == 1 {
				return "", l.fail("a hexadecimal string has an odd number of digits")
			}
			return text(b), nil
		case white(c):
			continue
		case c >= '0' && c <= '9':
			v = v<<4 | (c - '0')
		case c|0x20 >= 'a' && c|0x20 <= 'f':
			v = v<<4 | (c | 0x20 - 'a' + 10)
		default:
			return "", l.fail("a hexadecimal string has a wrong digit")
		}
		if digits++; digits%2 == 0 {
			b = append(b, v)
		}
	}
	return "", l.fail("a string does not end")
}
