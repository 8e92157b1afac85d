package console

// fault is what is wrong with one field of a form, in the language of the page.
type fault struct{ Field, Text string }

// faults are shown above a form, each with a link to its field, and beside the
// fields. A field's control has the field's name as its id.
type faults []fault

func (f *faults) add(field, text string) { *f = append(*f, fault{field, text}) }

// Of is what is wrong with a field, or "".
func (f faults) Of(field string) string {
	for _, fault := range f {
		if fault.Field == field {
			return fault.Text
		}
	}
	return ""
}
