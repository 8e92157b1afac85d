package wire_test

import (
	"errors"
	"fmt"

	"segell/wire"
)

// A body has fields that must be given, and optional ones: a pointer with omitempty may be left out or be null.
func ExampleDecode() {
	type Coverage struct {
		Active bool          `json:"active" doc:"Whether the person is covered today"`
		Since  wire.Date     `json:"since" doc:"First day of the cover"`
		Until  *wire.Date    `json:"until,omitempty" doc:"Last day of the cover, if there is one"`
		Rate   *wire.Percent `json:"special_rate,omitempty" doc:"Special rate of reimbursement"`
	}
	given, err := wire.Decode[Coverage]([]byte(`{"active": true, "since": "2019-09-01", "until": null}`))
	fmt.Println(given.Since, given.Until == nil, given.Rate == nil, err)

	_, err = wire.Decode[Coverage]([]byte(`{"since": "2019-09-31", "special_rate": 100, "end": "2026-01-01"}`))
	var faults wire.Faults
	if errors.As(err, &faults) {
		for _, fault := range faults {
			fmt.Println(fault.Pointer, fault.Detail)
		}
	}
	// Output:
	// 2019-09-01 true true <nil>
	// /since must be a day that the calendar has
	// /special_rate must be a string, not a number; give a percentage with exactly two decimals, written with a point and in quotes (Special rate of reimbursement), such as "75.00"
	// /end is not known here; known fields are active, since, until, special_rate
	// /active is missing; give true or false (Whether the person is covered today)
}

// The contribution to the retirement branch buys points at the price of the year of the row.
func ExampleMoney_PointsAt() {
	salary, _ := wire.ParseMoney("2500.00")
	rate, _ := wire.ParsePercent("12.00")
	price, _ := wire.ParsePrice("26.62560")
	contribution, _ := rate.Of(salary)
	points, _ := contribution.PointsAt(price)
	fmt.Println(contribution, points)
	// Output: 300.00 11.2674
}
