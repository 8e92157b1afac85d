package wire

import (
	"encoding"
	"encoding/json"
	"fmt"
	"reflect"
	"regexp"
	"strings"
	"sync"

	"github.com/danielgtaylor/huma/v2"
)

// The rules of this package are those of the whole process, so that a schema which huma makes elsewhere for the API
// description means the same: names match exactly, and a list is not null.
func init() {
	huma.ValidateStrictCasing = true
	huma.DefaultArrayNullable = false
}

// Schema returns the schema that [Decode] checks a type against, made by huma in the registry r: use it for the API
// description, before r is read by others. It panics where the type breaks the rules of this package; see [Compile].
func Schema(r huma.Registry, t reflect.Type) *huma.Schema {
	s := r.Schema(t, true, t.Name())
	c := compiler{registry: r, nodes: map[reflect.Type]*node{}}
	c.place(t, s, t.String())
	return s
}

// Compile prepares [Decode] for a type, once. It panics with the name of the field where the type cannot be a body: not
// a struct, a tag required or nullable, a map whose keys are no strings, a floating-point number, a field that no JSON
// can fill. Decode does this at the first use; call Compile at start to learn it then.
func Compile(t reflect.Type) { compiled(t) }

// node is what is known of a Go type and of the schema that its values must meet.
type node struct {
	goType reflect.Type // without pointers
	schema *huma.Schema
	custom bool // reads itself: has UnmarshalJSON or UnmarshalText
	exact  bool // a value type of this package under its own schema, which accepts exactly what the type reads
	whole  bool // the schema has words that only huma's own check of the whole value understands

	names  []string          // of a struct: its fields, in order
	fields map[string]*place // of a struct
	rest   *place            // of a map: what each value is
	item   *place            // of a list

	enum    map[string]bool // of a string
	pattern *regexp.Regexp  // of a string
}

// place is where a value stands: a field, the items of a list, the values of a map, or the body itself.
type place struct {
	*node
	nullable bool
	required bool
	doc      string
	example  string
}

var plans sync.Map // reflect.Type → *plan

type plan struct {
	registry huma.Registry
	root     *place
}

func compiled(t reflect.Type) *plan {
	if p, ok := plans.Load(t); ok {
		return p.(*plan)
	}
	if t.Kind() != reflect.Struct {
		panic(fmt.Sprintf("wire: a body is a struct, not %s", t))
	}
	// A registry per body, named by the full type, so that two packages may each have a type Holder.
	registry := huma.NewMapRegistry("#/", func(t reflect.Type, hint string) string {
		for t.Kind() == reflect.Pointer {
			t = t.Elem()
		}
		return t.PkgPath() + "." + t.String()
	})
	schema := registry.Schema(t, true, "")
	c := compiler{registry: registry, nodes: map[reflect.Type]*node{}}
	p, _ := plans.LoadOrStore(t, &plan{registry, c.place(t, schema, t.String())})
	return p.(*plan)
}

type compiler struct {
	registry huma.Registry
	nodes    map[reflect.Type]*node // structs, which alone can be recursive and whose schema does not vary by field
}

var (
	jsonUnmarshaler = reflect.TypeFor[json.Unmarshaler]()
	packagePath     = reflect.TypeFor[place]().PkgPath()
	textUnmarshaler = reflect.TypeFor[encoding.TextUnmarshaler]()
)

// place prepares a type and its schema. where names the field, for panics.
func (c *compiler) place(t reflect.Type, s *huma.Schema, where string) *place {
	if s == nil {
		panic(fmt.Sprintf("wire: %s has type %s, which no JSON can fill", where, t))
	}
	p := &place{doc: s.Description}
	for t.Kind() == reflect.Pointer {
		p.nullable, t = true, t.Elem()
	}
	p.node = c.node(t, s, where)
	if len(s.Examples) > 0 {
		p.example = exampleText(s.Examples[0])
	}
	if p.nullable && s.Ref == "" && s.Type != huma.TypeObject && s.Type != "" && !s.Nullable {
		// huma leaves a pointer with omitempty, and every type with a schema of its own, without null.
		s.Nullable = true
		if len(s.Enum) > 0 {
			s.Enum = append(s.Enum, nil)
		}
	}
	return p
}

func (c *compiler) node(t reflect.Type, s *huma.Schema, where string) *node {
	custom := reflect.PointerTo(t).Implements(jsonUnmarshaler) || reflect.PointerTo(t).Implements(textUnmarshaler)
	isStruct := t.Kind() == reflect.Struct && !custom
	if n, ok := c.nodes[t]; ok && isStruct {
		return n
	}
	for s.Ref != "" {
		s = c.registry.SchemaFromRef(s.Ref)
	}
	n := &node{goType: t, schema: s, custom: custom}
	n.whole = s.OneOf != nil || s.AnyOf != nil || s.AllOf != nil || s.Not != nil || s.Discriminator != nil
	switch {
	case custom:
	case isStruct:
		c.nodes[t] = n
		n.fields = map[string]*place{}
		c.fields(n, t, map[string]bool{}, where)
	case t.Kind() == reflect.Map:
		if t.Key().Kind() != reflect.String {
			panic(fmt.Sprintf("wire: %s is a map whose keys are no strings", where))
		}
		rest, _ := s.AdditionalProperties.(*huma.Schema)
		n.rest = c.place(t.Elem(), rest, where)
	case s.Type == huma.TypeArray:
		n.item = c.place(t.Elem(), s.Items, where)
	case t.Kind() == reflect.Float32 || t.Kind() == reflect.Float64:
		panic(fmt.Sprintf("wire: %s is a floating-point number; decimals travel as strings (Money, Percent, …)", where))
	}
	if own, ok := reflect.Zero(t).Interface().(huma.SchemaProvider); ok && custom && t.PkgPath() == packagePath {
		n.exact = own.Schema(nil).Pattern == s.Pattern && len(s.Enum) == 0
	}
	if s.Pattern != "" && !n.exact {
		n.pattern = regexp.MustCompile(s.Pattern)
	}
	if s.Type == huma.TypeString && len(s.Enum) > 0 {
		n.enum = make(map[string]bool, len(s.Enum))
		for _, v := range s.Enum {
			if text, ok := v.(string); ok {
				n.enum[text] = true
			}
		}
	}
	return n
}

// fields adds the fields of a struct as huma does: those of embedded structs after its own, an outer name winning.
func (c *compiler) fields(n *node, t reflect.Type, seen map[string]bool, where string) {
	var embedded []reflect.StructField
	for i := range t.NumField() {
		f := t.Field(i)
		if !f.IsExported() {
			continue
		}
		tag := f.Tag.Get("json")
		if f.Anonymous && tag == "" {
			embedded = append(embedded, f)
			continue
		}
		name, options, _ := strings.Cut(tag, ",")
		if name == "-" || seen[f.Name] {
			continue
		}
		seen[f.Name] = true
		if name == "" {
			name = f.Name
		}
		at := where + "." + f.Name
		for _, banned := range []string{"required", "nullable", "default"} {
			if _, ok := f.Tag.Lookup(banned); ok {
				panic(fmt.Sprintf("wire: %s has the tag %s; a field is optional by omitempty, may be null by being a pointer, and has no default", at, banned))
			}
		}
		if strings.Contains(options, "string") {
			panic(fmt.Sprintf("wire: %s has the json option string; use a type that reads a string", at))
		}
		s := n.schema.Properties[name]
		required := !strings.Contains(options, "omitempty") && !strings.Contains(options, "omitzero")
		p := c.place(f.Type, s, at)
		p.required = required
		n.names = append(n.names, name)
		n.fields[name] = p
	}
	for _, f := range embedded {
		e := f.Type
		for e.Kind() == reflect.Pointer {
			e = e.Elem()
		}
		if e.Kind() == reflect.Struct {
			c.fields(n, e, seen, where)
		}
	}
}

// exampleText writes an example as the body would hold it, if it is short enough to stand in a sentence.
func exampleText(v any) string {
	text, err := json.Marshal(v)
	if err != nil || len(text) > 60 {
		return ""
	}
	return string(text)
}
