package api

// Problems is the registry of problems, with their statuses.
func Problems() map[string]int {
	all := map[string]int{}
	for kind, row := range problems {
		all[kind] = row.status
	}
	return all
}
