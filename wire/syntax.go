package wire

import (
	"unicode/utf16"
	"unicode/utf8"
)

// MaxDepth is how deep objects and lists may be nested; the body itself is the first level.
const MaxDepth = 32

// kind is the JSON type of a value.
type kind uint8

const (
	kindNull kind = iota
	kindBool
	kindNumber
	kindString
	kindArray
	kindObject
)

func (k kind) String() string {
	return [...]string{"null", "a true or false", "a number", "a string", "a list", "an object"}[k]
}

// value is a JSON value with its place in the body. Its text is body[start:end].
type value struct {
	kind       kind
	truth      bool // of a bool
	start, end int
	text       string // of a string, unescaped
	items      []value
	members    []member
}

type member struct {
	name  string
	value value
}

// parser reads RFC 8259 JSON, refusing what I-JSON (RFC 7493) refuses too: invalid UTF-8, lone surrogates and members
// given twice. encoding/json lets all three pass, and two readers of one body must not be able to see two documents.
type parser struct {
	body []byte
	at   int
}

func parse(body []byte) (value, error) {
	p := parser{body: body}
	if len(body) >= 3 && body[0] == 0xEF && body[1] == 0xBB && body[2] == 0xBF {
		return value{}, p.fail("the body starts with a byte order mark; send UTF-8 without one")
	}
	p.space()
	if p.at == len(body) {
		return value{}, p.fail("the body is empty; send a JSON object")
	}
	if body[p.at] != '{' {
		// Only say "not an object" where there is some other JSON value; otherwise say what is broken.
		start := p.at
		if _, err := p.value(1); err != nil {
			return value{}, err
		}
		p.at = start
		return value{}, p.fail("the body must be a JSON object, starting with {")
	}
	v, err := p.value(1)
	if err != nil {
		return value{}, err
	}
	p.space()
	if p.at < len(body) {
		return value{}, p.fail("something follows the JSON object; send exactly one")
	}
	return v, nil
}

func (p *parser) fail(detail string) error { return p.failAt(p.at, detail) }

func (p *parser) failAt(at int, detail string) error {
	return &SyntaxError{Offset: int64(at), Detail: detail}
}

const endsEarly = "the body ends in the middle; it may have been cut off"

func (p *parser) space() {
	for p.at < len(p.body) {
		switch p.body[p.at] {
		case ' ', '\t', '\n', '\r':
			p.at++
		default:
			return
		}
	}
}

// value reads the value that starts here, inside depth-1 objects and lists.
func (p *parser) value(depth int) (value, error) {
	if p.at >= len(p.body) {
		return value{}, p.fail(endsEarly)
	}
	start := p.at
	switch c := p.body[p.at]; {
	case c == '{' || c == '[':
		if depth > MaxDepth {
			return value{}, p.fail("objects and lists are nested too deep; at most 32 levels")
		}
		if c == '{' {
			return p.object(depth)
		}
		return p.array(depth)
	case c == '"':
		text, err := p.string()
		return value{kind: kindString, text: text, start: start, end: p.at}, err
	case c == '-' || '0' <= c && c <= '9':
		err := p.number()
		return value{kind: kindNumber, start: start, end: p.at}, err
	case c == 't':
		err := p.word("true")
		return value{kind: kindBool, truth: true, start: start, end: p.at}, err
	case c == 'f':
		err := p.word("false")
		return value{kind: kindBool, start: start, end: p.at}, err
	case c == 'n':
		err := p.word("null")
		return value{kind: kindNull, start: start, end: p.at}, err
	case c >= utf8.RuneSelf && !p.validRune():
		return value{}, p.fail("invalid UTF-8")
	default:
		return value{}, p.fail("a value was expected here: an object, a list, a string in double quotes, a number, true, false or null")
	}
}

func (p *parser) validRune() bool {
	r, size := utf8.DecodeRune(p.body[p.at:])
	return r != utf8.RuneError || size > 1
}

func (p *parser) word(w string) error {
	for i := range len(w) {
		if p.at+i >= len(p.body) {
			return p.failAt(p.at+i, endsEarly)
		}
		if p.body[p.at+i] != w[i] {
			return p.fail("a value was expected here: an object, a list, a string in double quotes, a number, true, false or null")
		}
	}
	p.at += len(w)
	return nil
}

func (p *parser) object(depth int) (value, error) {
	v := value{kind: kindObject, start: p.at}
	p.at++
	var seen map[string]struct{} // made only for objects too large to look through
	for first := true; ; first = false {
		p.space()
		if p.at >= len(p.body) {
			return v, p.fail(endsEarly)
		}
		if p.body[p.at] == '}' && first {
			break
		}
		if p.body[p.at] != '"' {
			if p.body[p.at] == '}' {
				return v, p.fail("a comma before } is one too many")
			}
			return v, p.fail("the name of a field, in double quotes, was expected here")
		}
		nameAt := p.at
		name, err := p.string()
		if err != nil {
			return v, err
		}
		if seen == nil && len(v.members) >= 16 {
			seen = make(map[string]struct{}, 64)
			for _, m := range v.members {
				seen[m.name] = struct{}{}
			}
		}
		twice := false
		if seen != nil {
			_, twice = seen[name]
			seen[name] = struct{}{}
		} else {
			for i := range v.members {
				twice = twice || v.members[i].name == name
			}
		}
		if twice {
			return v, p.failAt(nameAt, "this field is given twice in one object; give it once")
		}
		p.space()
		if p.at >= len(p.body) {
			return v, p.fail(endsEarly)
		}
		if p.body[p.at] != ':' {
			return v, p.fail("a colon was expected after the name of a field")
		}
		p.at++
		p.space()
		member := member{name: name}
		if member.value, err = p.value(depth + 1); err != nil {
			return v, err
		}
		v.members = append(v.members, member)
		p.space()
		if p.at >= len(p.body) {
			return v, p.fail(endsEarly)
		}
		if p.body[p.at] == '}' {
			break
		}
		if p.body[p.at] != ',' {
			return v, p.fail("a comma or } was expected after the value of a field")
		}
		p.at++
	}
	p.at++
	v.end = p.at
	return v, nil
}

func (p *parser) array(depth int) (value, error) {
	v := value{kind: kindArray, start: p.at}
	p.at++
	p.space()
	if p.at < len(p.body) && p.body[p.at] == ']' {
		p.at++
		v.end = p.at
		return v, nil
	}
	for {
		p.space()
		if p.at < len(p.body) && p.body[p.at] == ']' {
			return v, p.fail("a comma before ] is one too many")
		}
		item, err := p.value(depth + 1)
		if err != nil {
			return v, err
		}
		v.items = append(v.items, item)
		p.space()
		if p.at >= len(p.body) {
			return v, p.fail(endsEarly)
		}
		if p.body[p.at] == ']' {
			break
		}
		if p.body[p.at] != ',' {
			return v, p.fail("a comma or ] was expected after an item of a list")
		}
		p.at++
	}
	p.at++
	v.end = p.at
	return v, nil
}

func (p *parser) number() error {
	digits := func() bool {
		from := p.at
		for p.at < len(p.body) && '0' <= p.body[p.at] && p.body[p.at] <= '9' {
			p.at++
		}
		return p.at > from
	}
	missing := func() error {
		if p.at >= len(p.body) {
			return p.fail(endsEarly)
		}
		return p.fail("a digit was expected here")
	}
	if p.body[p.at] == '-' {
		p.at++
	}
	if p.at < len(p.body) && p.body[p.at] == '0' {
		p.at++
		if p.at < len(p.body) && '0' <= p.body[p.at] && p.body[p.at] <= '9' {
			return p.fail("a number must not start with a zero")
		}
	} else if !digits() {
		return missing()
	}
	if p.at < len(p.body) && p.body[p.at] == '.' {
		p.at++
		if !digits() {
			return missing()
		}
	}
	if p.at < len(p.body) && (p.body[p.at] == 'e' || p.body[p.at] == 'E') {
		p.at++
		if p.at < len(p.body) && (p.body[p.at] == '+' || p.body[p.at] == '-') {
			p.at++
		}
		if !digits() {
			return missing()
		}
	}
	return nil
}

func (p *parser) string() (string, error) {
	p.at++ // the quote
	start := p.at
	// Most strings have no escape: find the end, and copy once.
	for p.at < len(p.body) {
		c := p.body[p.at]
		if c == '"' {
			text := string(p.body[start:p.at])
			p.at++
			return text, nil
		}
		if c == '\\' {
			break
		}
		if err := p.stringByte(); err != nil {
			return "", err
		}
	}
	buf := append([]byte(nil), p.body[start:p.at]...)
	for p.at < len(p.body) {
		switch c := p.body[p.at]; c {
		case '"':
			p.at++
			return string(buf), nil
		case '\\':
			r, err := p.escape()
			if err != nil {
				return "", err
			}
			buf = utf8.AppendRune(buf, r)
		default:
			from := p.at
			if err := p.stringByte(); err != nil {
				return "", err
			}
			buf = append(buf, p.body[from:p.at]...)
		}
	}
	return "", p.fail(endsEarly)
}

// stringByte passes over one character that stands for itself.
func (p *parser) stringByte() error {
	c := p.body[p.at]
	if c < 0x20 {
		return p.fail("a line break or other control character stands inside a string; write it as an escape such as \\n")
	}
	if c < utf8.RuneSelf {
		p.at++
		return nil
	}
	r, size := utf8.DecodeRune(p.body[p.at:])
	if r == utf8.RuneError && size <= 1 {
		return p.fail("invalid UTF-8")
	}
	p.at += size
	return nil
}

func (p *parser) escape() (rune, error) {
	start := p.at
	p.at++ // the backslash
	if p.at >= len(p.body) {
		return 0, p.fail(endsEarly)
	}
	c := p.body[p.at]
	p.at++
	switch c {
	case '"', '\\', '/':
		return rune(c), nil
	case 'b':
		return '\b', nil
	case 'f':
		return '\f', nil
	case 'n':
		return '\n', nil
	case 'r':
		return '\r', nil
	case 't':
		return '\t', nil
	case 'u':
		r, err := p.hex()
		if err != nil {
			return 0, err
		}
		if !utf16.IsSurrogate(r) {
			return r, nil
		}
		if p.at+1 < len(p.body) && p.body[p.at] == '\\' && p.body[p.at+1] == 'u' {
			p.at += 2
			low, err := p.hex()
			if err != nil {
				return 0, err
			}
			if r = utf16.DecodeRune(r, low); r != utf8.RuneError {
				return r, nil
			}
		}
		return 0, p.failAt(start, "half of a surrogate pair; write the character itself, or both halves")
	}
	return 0, p.failAt(start, "an unknown escape; known are \\\" \\\\ \\/ \\b \\f \\n \\r \\t and \\u with four hexadecimal digits")
}

func (p *parser) hex() (rune, error) {
	var r rune
	for range 4 {
		if p.at >= len(p.body) {
			return 0, p.fail(endsEarly)
		}
		c := p.body[p.at]
		switch {
		case '0' <= c && c <= '9':
			r = r<<4 | rune(c-'0')
		case 'a' <= c && c <= 'f':
			r = r<<4 | rune(c-'a'+10)
		case 'A' <= c && c <= 'F':
			r = r<<4 | rune(c-'A'+10)
		default:
			return 0, p.fail("four hexadecimal digits were expected after \\u")
		}
		p.at++
	}
	return r, nil
}

// plain turns v into what encoding/json would make of it in an any, for the checks that huma does itself.
func (v *value) plain(body []byte) any {
	switch v.kind {
	case kindBool:
		return v.truth
	case kindNumber:
		return float(body[v.start:v.end])
	case kindString:
		return v.text
	case kindArray:
		list := make([]any, len(v.items))
		for i := range v.items {
			list[i] = v.items[i].plain(body)
		}
		return list
	case kindObject:
		object := make(map[string]any, len(v.members))
		for i := range v.members {
			object[v.members[i].name] = v.members[i].value.plain(body)
		}
		return object
	}
	return nil
}
