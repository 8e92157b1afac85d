package templates_test

import (
	"encoding/json"
	"errors"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"segell/samples"
	"segell/templates"
	"segell/wire"
)

// list is a list in a request: where it is, how many items it may have, and how
// to put another in its place.
type list struct {
	pointer string
	most    int
	items   []any
	put     func([]any)
}

// lists finds those of a body, and faults the fields of its type without a bound.
func lists(t *testing.T, kind reflect.Type, value any, pointer string) (found []list) {
	for kind.Kind() == reflect.Pointer {
		kind = kind.Elem()
	}
	switch kind.Kind() {
	case reflect.Slice:
		for i, item := range items(value) {
			found = append(found, lists(t, kind.Elem(), item, pointer+"/"+strconv.Itoa(i))...)
		}
	case reflect.Struct:
		object, _ := value.(map[string]any)
		for i := range kind.NumField() {
			field := kind.Field(i)
			name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
			inner := field.Type
			for inner.Kind() == reflect.Pointer {
				inner = inner.Elem()
			}
			if !field.IsExported() || name == "-" {
				continue
			}
			if field.Anonymous && name == "" {
				found = append(found, lists(t, inner, value, pointer)...)
				continue
			}
			here := pointer + "/" + name
			if inner.Kind() == reflect.Slice && inner.Elem().Kind() != reflect.Uint8 {
				most, err := strconv.Atoi(field.Tag.Get("maxItems"))
				if err != nil {
					t.Errorf("%s: the list %s has no bound", kind, here)
					continue
				}
				if all := items(object[name]); len(all) > 0 {
					found = append(found, list{here, most, all, func(more []any) { object[name] = more }})
				}
			}
			found = append(found, lists(t, inner, object[name], here)...)
		}
	}
	return found
}

func items(value any) []any { all, _ := value.([]any); return all }

// Every list of every kind is bounded, and one item too many is refused with the
// limit named.
func TestEveryListIsBounded(t *testing.T) {
	for _, kind := range templates.Kinds() {
		tried := map[string]bool{}
		for sample := range samples.All() {
			if sample.Kind != kind.ID {
				continue
			}
			var body any
			if err := json.Unmarshal(sample.Body, &body); err != nil {
				t.Fatal(err)
			}
			for _, list := range lists(t, kind.BodyType(), body, "") {
				if place := strings.Map(func(r rune) rune {
					if '0' <= r && r <= '9' {
						return '#'
					}
					return r
				}, list.pointer); tried[place] {
					continue
				} else {
					tried[place] = true
				}
				tooMany := make([]any, list.most+1)
				for i := range tooMany {
					tooMany[i] = list.items[i%len(list.items)]
				}
				list.put(tooMany)
				text, err := json.Marshal(body)
				if err != nil {
					t.Fatal(err)
				}
				list.put(list.items)
				var faults wire.Faults
				if _, err := kind.Decode(text, time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)); !errors.As(err, &faults) {
					t.Errorf("%s: %d items in %s: %v", kind.ID, len(tooMany), list.pointer, err)
					continue
				}
				named := false
				for _, fault := range faults {
					named = named || fault.Pointer == list.pointer && strings.Contains(fault.Detail, strconv.Itoa(list.most))
				}
				if !named {
					t.Errorf("%s: %d items in %s: the limit %d is not named: %.300v", kind.ID, len(tooMany), list.pointer, list.most, faults)
				}
			}
		}
	}
}
