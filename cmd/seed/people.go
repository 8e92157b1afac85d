package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"sync"

	"segell/samples"
)

// person is nobody: a name drawn from lists, and a number.
type person struct{ name, cass string }

var (
	families = []string{"Puig", "Serra", "Vila", "Roca", "Font", "Riba", "Casal", "Areny", "Torres", "Pons", "Ferrer", "Mas", "Costa", "Sala", "Prat", "Camps", "Duró", "Bonet", "Naudi", "Moles"}
	given    = []string{"Maria", "Joan", "Laia", "Pere", "Núria", "Marc", "Carme", "Jordi", "Aina", "Pol", "Rosa", "Albert", "Clara", "Josep", "Èlia", "Xavier", "Mercè", "Lluís", "Ona", "Arnau"}
)

// people is how many different persons there are for so many requests: thirteen
// requests each, about.
func people(n int) int { return max(1, n/13) }

func personOf(n int) person {
	return person{name: fmt.Sprintf("%s i %s, %s", families[n%20], families[n/20%20], given[n/400%20]),
		cass: fmt.Sprintf("%06d%c", n%1_000_000, 'A'+n/1_000_000%26)}
}

// standards are the standard samples, by kind.
var standards = sync.OnceValue(func() map[string][]byte {
	all := map[string][]byte{}
	for sample := range samples.All() {
		if sample.Name == samples.Standard && all[sample.Kind] == nil {
			all[sample.Kind] = sample.Body
		}
	}
	return all
})

// bodyFor is the standard sample of a kind, asked for by somebody. Where the
// holder appears again in it, it is that person too.
func bodyFor(kind string, p person) ([]byte, error) {
	body := standards()[kind]
	var sample struct {
		Holder struct {
			Name string `json:"full_name"`
			CASS string `json:"cass_number"`
		} `json:"holder"`
	}
	if err := json.Unmarshal(body, &sample); err != nil {
		return nil, fmt.Errorf("the sample of %s: %w", kind, err)
	}
	for was, is := range map[string]string{sample.Holder.Name: p.name, sample.Holder.CASS: p.cass} {
		body = bytes.ReplaceAll(body, []byte(`"`+was+`"`), []byte(`"`+is+`"`))
	}
	return body, nil
}
