package templates

import "segell/wire"

// birthday is the day on which a person reaches an age in years. Who was born on
// 29 February reaches it on 28 February where the year has no other: a term of
// years ends on the last day of a month that lacks the day.
func birthday(born wire.Date, age int) wire.Date { return born.AddMonths(12 * age) }

// indirectUntilAge is the age at which a relationship ceases to insure a person
// through another, 0 or absent for none (Llei 17/2008, art. 13).
var indirectUntilAge = map[string]int{"child": 18, "student": 25, "job_seeker": 25}
