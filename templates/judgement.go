package templates

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"segell/wire"
)

// judgement collects what the rules find in a body. Where the shape of a part is
// wrong already, that was said and is not judged again.
type judgement struct {
	shape wire.Faults
	found wire.Faults
}

// readable says whether the value at a pointer has the right shape, so that a rule may rest on it.
func (j *judgement) readable(pointer string) bool {
	return !slices.ContainsFunc(j.shape, func(f wire.Fault) bool { return within(pointer, f.Pointer) || within(f.Pointer, pointer) })
}

func (j *judgement) Add(pointer, detail string) {
	if j.readable(pointer) {
		j.found.Add(pointer, detail)
	}
}

func (j *judgement) Addf(pointer, format string, args ...any) {
	j.Add(pointer, fmt.Sprintf(format, args...))
}

func (j *judgement) err() error { return append(slices.Clone(j.shape), j.found...).Err() }

// within says whether a pointer is at or below another.
func within(pointer, above string) bool {
	rest, ok := strings.CutPrefix(pointer, above)
	return ok && (rest == "" || rest[0] == '/')
}

// salvage reads what can be read of a body with faults of shape: the parts at
// fault are cut out and stay zero in target.
func salvage(body []byte, faults wire.Faults, target any) bool {
	var tree any
	if json.Unmarshal(body, &tree) != nil {
		return false
	}
	for _, f := range faults {
		if f.Pointer == "" {
			return false
		}
		cut(tree, strings.Split(f.Pointer, "/")[1:])
	}
	rest, err := json.Marshal(tree)
	return err == nil && json.Unmarshal(rest, target) == nil
}

// cut removes what a pointer names; an item of a list becomes null, so that those after it keep their place.
func cut(tree any, steps []string) {
	name := strings.NewReplacer("~1", "/", "~0", "~").Replace(steps[0])
	switch node := tree.(type) {
	case map[string]any:
		if len(steps) == 1 {
			delete(node, name)
		} else {
			cut(node[name], steps[1:])
		}
	case []any:
		if i, err := strconv.Atoi(name); err == nil && i >= 0 && i < len(node) {
			if len(steps) == 1 {
				node[i] = nil
			} else {
				cut(node[i], steps[1:])
			}
		}
	}
}
