package notify

import "time"

// schedule is how long after each try that failed the next comes, as Standard
// Webhooks proposes: ten tries within a day.
var schedule = []time.Duration{5 * time.Second, time.Minute, 5 * time.Minute, 30 * time.Minute, time.Hour, 2 * time.Hour,
	4 * time.Hour, 8 * time.Hour, 8 * time.Hour}

// pause is how long to wait after so many tries that failed, spread by a tenth
// either way with random from 0 to 1; ok is false where there is no next try.
func pause(tries int, random float64) (d time.Duration, ok bool) {
	if tries > len(schedule) {
		return 0, false
	}
	d = schedule[tries-1]
	return d - d/10 + time.Duration(random*float64(d/5)), true
}
