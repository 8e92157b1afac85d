package wire

import (
	"encoding"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2"
)

// Decode reads a body into a T, a struct as the package comment describes. The error is a [*SyntaxError] when the body is
// not acceptable JSON, or [Faults], all at once and in the order of the body (what is missing from an object comes
// after what it has). With an error the T is the zero T. It panics where T cannot be a body; see [Compile].
//
// What it costs grows with the length of the body: bound that before.
func Decode[T any](body []byte) (T, error) {
	var out, zero T
	if err := DecodeInto(body, &out); err != nil {
		return zero, err
	}
	return out, nil
}

// DecodeInto is [Decode] where the type is known only at run time: target is a pointer to a zero struct. With an error
// nothing is written to it.
func DecodeInto(body []byte, target any) error {
	t := reflect.TypeOf(target)
	if t == nil || t.Kind() != reflect.Pointer {
		panic(fmt.Sprintf("wire: a body is read into a pointer to a struct, not into %T", target))
	}
	plan := compiled(t.Elem())
	root, err := parse(body)
	if err != nil {
		return err
	}
	c := check{body: body, registry: plan.registry, path: huma.NewPathBuffer(nil, 0), result: &huma.ValidateResult{}}
	c.value(plan.root, &root)
	if err := c.faults.Err(); err != nil {
		return err
	}
	fresh := reflect.New(t.Elem())
	if err := json.Unmarshal(body, fresh.Interface()); err != nil {
		// Everything that can be wrong has been looked at. The text of err may quote the body, so it stays here.
		return Faults{{"", "does not have the form that is described for this kind"}}
	}
	reflect.ValueOf(target).Elem().Set(fresh.Elem())
	return nil
}

// check walks a body and its plan together. The structure is looked at here, because huma's paths are ambiguous where a
// name has a dot, its order is that of the names, and its sentences may quote what was sent; the words of the schema that
// only huma knows (formats, oneOf and the like) are huma's to judge. That the two agree is what FuzzDecode looks for.
type check struct {
	body     []byte
	registry huma.Registry
	path     *huma.PathBuffer
	result   *huma.ValidateResult
	at       []byte // JSON pointer of the value being looked at
	faults   Faults
}

func (c *check) fault(format string, args ...any) {
	c.faults.Add(string(c.at), fmt.Sprintf(format, args...))
}

// enter looks at a value inside the present one.
func (c *check) enter(name string, p *place, v *value) {
	outside := len(c.at)
	c.at = appendName(c.at, name)
	c.value(p, v)
	c.at = c.at[:outside]
}

func (c *check) value(p *place, v *value) {
	if v.kind == kindNull {
		if !p.nullable && p.goType.Kind() != reflect.Interface {
			c.fault("must not be null; give %s", p.want())
		}
		return
	}
	before := len(c.faults)
	switch {
	case p.custom:
		c.custom(p, v)
	case p.fields != nil || p.rest != nil:
		c.object(p, v)
	case p.item != nil:
		c.list(p, v)
	default:
		c.single(p, v)
	}
	if p.whole && len(c.faults) == before && !c.accepts(p.schema, v.plain(c.body)) {
		c.fault("does not fit; give %s", p.want())
	}
}

// accepts asks huma.
func (c *check) accepts(s *huma.Schema, v any) bool {
	c.path.Reset()
	c.result.Reset()
	huma.Validate(c.registry, s, c.path, huma.ModeWriteToServer, v, c.result)
	return len(c.result.Errors) == 0
}

func (c *check) object(p *place, v *value) {
	if v.kind != kindObject {
		c.fault("must be an object, not %s", v.kind)
		return
	}
	s := p.schema
	if s.MinProperties != nil && len(v.members) < *s.MinProperties {
		c.fault("has too few fields: at least %d", *s.MinProperties)
	}
	if s.MaxProperties != nil && len(v.members) > *s.MaxProperties {
		c.fault("has too many fields: at most %d", *s.MaxProperties)
	}
	given := make(map[string]bool, len(v.members))
	for i := range v.members {
		m := &v.members[i]
		given[m.name] = m.value.kind != kindNull
		switch f, known := p.fields[m.name]; {
		case known:
			c.enter(m.name, f, &m.value)
		case p.rest != nil && printableName(m.name):
			c.enter(m.name, p.rest, &m.value)
		case p.rest != nil || !printableName(m.name):
			// A pointer holds the name: only a sensible one is repeated.
			c.fault("has a field whose name is longer than %d characters or cannot be printed", maxName)
		default:
			outside := len(c.at)
			c.at = appendName(c.at, m.name)
			c.fault("is not known here; %s", knownFields(p.names))
			c.at = c.at[:outside]
		}
	}
	for _, name := range p.names {
		f := p.fields[name]
		if _, ok := given[name]; ok {
			continue
		}
		if f.required {
			c.missing(name, "is missing; give %s", f.want())
		}
	}
	for _, name := range p.names {
		for _, other := range s.DependentRequired[name] {
			if given[name] && !given[other] && !p.fields[other].required {
				c.missing(other, "is missing, and needed where %s is given; give %s", name, p.fields[other].want())
			}
		}
	}
}

func (c *check) missing(name, format string, args ...any) {
	outside := len(c.at)
	c.at = appendName(c.at, name)
	c.fault(format, args...)
	c.at = c.at[:outside]
}

// maxName is the longest name of an unknown field, in characters, that is repeated in a pointer.
const maxName = 64

func printableName(name string) bool {
	if utf8.RuneCountInString(name) > maxName {
		return false
	}
	for _, r := range name {
		if !unicode.IsPrint(r) {
			return false
		}
	}
	return true
}

func knownFields(names []string) string {
	if len(names) == 0 {
		return "no field is known here"
	}
	return "known fields are " + strings.Join(names, ", ")
}

func (c *check) list(p *place, v *value) {
	if v.kind != kindArray {
		c.fault("must be a list, not %s", v.kind)
		return
	}
	s := p.schema
	if s.MinItems != nil && len(v.items) < *s.MinItems {
		if *s.MinItems == 1 {
			c.fault("must not be an empty list; give %s", p.want())
		} else {
			c.fault("has too few items: at least %d", *s.MinItems)
		}
	}
	if s.MaxItems != nil && len(v.items) > *s.MaxItems {
		c.fault("has too many items: at most %d", *s.MaxItems)
	}
	var seen map[string]bool
	if s.UniqueItems {
		seen = make(map[string]bool, len(v.items))
	}
	for i := range v.items {
		outside := len(c.at)
		c.at = strconv.AppendInt(append(c.at, '/'), int64(i), 10)
		before := len(c.faults)
		c.value(p.item, &v.items[i])
		if seen != nil && len(c.faults) == before {
			// encoding/json sorts the names of objects: equal items have equal texts.
			text, _ := json.Marshal(v.items[i].plain(c.body))
			if seen[string(text)] {
				c.fault("is the same as an item before it; each may be given once")
			}
			seen[string(text)] = true
		}
		c.at = c.at[:outside]
	}
}

// custom looks at a value whose Go type reads itself: the schema first, then the type's own reading.
func (c *check) custom(p *place, v *value) {
	if t := p.schema.Type; t != huma.TypeObject && t != huma.TypeArray {
		before := len(c.faults)
		if c.single(p, v); len(c.faults) > before {
			return
		}
	}
	var err error
	switch target := reflect.New(p.goType).Interface().(type) {
	case encoding.TextUnmarshaler:
		// Whoever reads both text and JSON reads a string the same way; this way spares the unescaping.
		if v.kind == kindString {
			err = target.UnmarshalText([]byte(v.text))
			break
		}
		err = json.Unmarshal(c.body[v.start:v.end], target)
	default:
		err = json.Unmarshal(c.body[v.start:v.end], target)
	}
	var format *FormatError
	switch {
	case err == nil:
	case p.exact && errors.As(err, &format) && format.Detail != noSuchDay:
		c.fault("must be %s%s", p.withoutExample(p.schema.PatternDescription), p.suchAs()) // the words of the field, if it has its own
	case errors.As(err, &format):
		c.fault("%s", format.Detail)
	default:
		c.fault("is not valid here; give %s", p.want())
	}
	if err == nil && !p.exact && !c.accepts(p.schema, v.plain(c.body)) {
		c.fault("does not fit; give %s", p.want())
	}
}

// single looks at a value without parts.
func (c *check) single(p *place, v *value) {
	s := p.schema
	switch s.Type {
	case huma.TypeString:
		if v.kind != kindString {
			c.fault("must be a string, not %s; give %s", v.kind, p.want())
			return
		}
		c.text(p, v.text)
	case huma.TypeBoolean:
		if v.kind != kindBool {
			c.fault("must be true or false, without quotes, not %s", v.kind)
		}
	case huma.TypeInteger, huma.TypeNumber:
		if v.kind != kindNumber {
			c.fault("must be a number, not %s; give %s", v.kind, p.want())
			return
		}
		c.number(p, v)
	case "": // any value, such as json.RawMessage: nothing to look at
	default:
		c.fault("does not fit; give %s", p.want())
	}
}

func (c *check) text(p *place, text string) {
	s := p.schema
	before := len(c.faults)
	length := utf8.RuneCountInString(text)
	switch {
	case !cleanText(text):
		c.fault("must not hold control characters or marks that override the direction of text")
	case s.MinLength != nil && length < *s.MinLength:
		if length == 0 {
			c.fault("must not be empty; give %s", p.want())
		} else {
			c.fault("is too short: at least %s", count(*s.MinLength, "character"))
		}
	case s.MaxLength != nil && length > *s.MaxLength:
		c.fault("is too long: at most %s", count(*s.MaxLength, "character"))
	case p.enum != nil && !p.enum[text]:
		c.fault("must be %s", p.choices())
	case p.pattern != nil && !p.pattern.MatchString(text):
		if s.PatternDescription != "" {
			c.fault("must be %s%s", p.withoutExample(s.PatternDescription), p.suchAs())
		} else {
			c.fault("must match the pattern %s%s", s.Pattern, p.suchAs())
		}
	case p.goType.Kind() == reflect.Slice: // []byte
		if _, err := base64.StdEncoding.DecodeString(text); err != nil {
			c.fault("must be bytes in base64 (RFC 4648 section 4, with padding)")
		}
	}
	if len(c.faults) == before && !p.custom && s.Format != "" && !c.accepts(s, text) {
		c.fault("must be %s", p.want())
	}
}

// cleanText reports whether a text is free of what could hide or reorder text: control characters other than line feed
// and tab, the direction overrides, embeddings and isolates of UAX #9, separators U+2028 and U+2029, noncharacters.
func cleanText(text string) bool {
	for _, r := range text {
		switch {
		case r == '\n' || r == '\t':
		case r < 0x20 || 0x7F <= r && r < 0xA0,
			0x202A <= r && r <= 0x202E, 0x2066 <= r && r <= 0x2069, r == 0x2028, r == 0x2029,
			0xFDD0 <= r && r <= 0xFDEF, r&0xFFFE == 0xFFFE:
			return false
		}
	}
	return true
}

func (c *check) number(p *place, v *value) {
	s := p.schema
	literal := string(c.body[v.start:v.end])
	fits := true
	switch p.goType.Kind() {
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		_, err := strconv.ParseInt(literal, 10, p.goType.Bits())
		fits = err == nil
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		_, err := strconv.ParseUint(literal, 10, p.goType.Bits())
		fits = err == nil
	}
	if s.Type == huma.TypeInteger && strings.ContainsAny(literal, ".eE") {
		c.fault("must be a whole number, without a point or an exponent")
		return
	}
	n := float(c.body[v.start:v.end])
	switch {
	case s.Minimum != nil && n < *s.Minimum:
		c.fault("is too small: at least %s", plainNumber(*s.Minimum))
	case s.ExclusiveMinimum != nil && n <= *s.ExclusiveMinimum:
		c.fault("is too small: more than %s", plainNumber(*s.ExclusiveMinimum))
	case s.Maximum != nil && n > *s.Maximum:
		c.fault("is too large: at most %s", plainNumber(*s.Maximum))
	case s.ExclusiveMaximum != nil && n >= *s.ExclusiveMaximum:
		c.fault("is too large: less than %s", plainNumber(*s.ExclusiveMaximum))
	case s.MultipleOf != nil && math.Mod(n, *s.MultipleOf) != 0:
		c.fault("must be a multiple of %s", plainNumber(*s.MultipleOf))
	case !fits:
		c.fault("is out of range; give %s", p.want())
	}
}

// float reads a JSON number as encoding/json does into an any; one beyond its range is infinite.
func float(literal []byte) float64 {
	n, _ := strconv.ParseFloat(string(literal), 64)
	return n
}

func plainNumber(n float64) string { return strconv.FormatFloat(n, 'f', -1, 64) }

func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return strconv.Itoa(n) + " " + noun + "s"
}

// want says what would be right at a place, to stand after "give": what it is, what it means, an example.
func (p *place) want() string {
	what := p.withoutExample(p.what())
	if p.doc != "" {
		what += " (" + strings.TrimSuffix(p.doc, ".") + ")"
	}
	return what + p.suchAs()
}

func (p *place) suchAs() string {
	if p.example == "" || p.enum != nil || p.schema.Type == huma.TypeBoolean {
		return ""
	}
	return ", such as " + p.example
}

// withoutExample takes the example out of words where the place has one of its own.
func (p *place) withoutExample(words string) string {
	if p.suchAs() != "" {
		words, _, _ = strings.Cut(words, ", such as ")
	}
	return words
}

func (p *place) choices() string {
	var quoted []string
	for _, v := range p.schema.Enum {
		if text, ok := v.(string); ok {
			quoted = append(quoted, strconv.Quote(text))
		}
	}
	if len(quoted) == 1 {
		return quoted[0]
	}
	return "one of " + strings.Join(quoted, ", ")
}

func (p *place) what() string {
	s := p.schema
	switch s.Type {
	case huma.TypeString:
		if p.enum != nil {
			return p.choices()
		}
		if s.PatternDescription != "" {
			return s.PatternDescription
		}
		if words, ok := formats[s.Format]; ok {
			return words
		}
		if s.ContentEncoding == "base64" {
			return "bytes in base64"
		}
		return "a string" + bounds(s.MinLength, s.MaxLength, "character")
	case huma.TypeBoolean:
		return "true or false"
	case huma.TypeInteger, huma.TypeNumber:
		what := "a number"
		if s.Type == huma.TypeInteger {
			what = "a whole number"
		}
		switch {
		case s.Minimum != nil && s.Maximum != nil:
			return what + " from " + plainNumber(*s.Minimum) + " to " + plainNumber(*s.Maximum)
		case s.Minimum != nil:
			return what + " of at least " + plainNumber(*s.Minimum)
		case s.Maximum != nil:
			return what + " of at most " + plainNumber(*s.Maximum)
		}
		return what
	case huma.TypeArray:
		return "a list" + bounds(s.MinItems, s.MaxItems, "item")
	case huma.TypeObject:
		var needed []string
		for _, name := range p.names {
			if p.fields[name].required {
				needed = append(needed, name)
			}
		}
		if len(needed) == 0 {
			return "an object"
		}
		return "an object with " + strings.Join(needed, ", ")
	}
	return "a value"
}

func bounds(least, most *int, noun string) string {
	switch {
	case least != nil && most != nil && *least > 0 && *least == *most:
		return " of exactly " + count(*most, noun)
	case least != nil && most != nil && *least > 0:
		return fmt.Sprintf(" of %d to %s", *least, count(*most, noun))
	case most != nil:
		return " of at most " + count(*most, noun)
	case least != nil && *least > 0:
		return " of at least " + count(*least, noun)
	}
	return ""
}

// formats says in words what a schema's format means.
var formats = map[string]string{
	"date-time": "a time with its offset from UTC (RFC 3339), such as 2026-03-02T09:14:05+01:00",
	"date":      "a date, such as 2026-03-02",
	"time":      "a time of day, such as 09:14:05",
	"email":     "an e-mail address",
	"uuid":      "a UUID (RFC 9562) in lower-case hexadecimal with hyphens",
	"uri":       "an absolute address (RFC 3986), such as https://example.org/",
	"ip":        "an IP address",
	"ipv4":      "an IPv4 address",
	"ipv6":      "an IPv6 address",
	"hostname":  "the name of a host",
}
