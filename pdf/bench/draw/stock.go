//go:build stock

package main

import (
	"github.com/johnfercher/maroto/v2/pkg/components/code"
	"github.com/johnfercher/maroto/v2/pkg/core"
)

// meaning is nothing to gofpdf.
type meaning struct{}

func describe() meaning { return meaning{} }

func (meaning) keywords() string { return "" }

func nothing() {}

func (meaning) tag(string) func() { return nothing }

func (meaning) done() {}

func (meaning) table() meaning { return meaning{} }

func (meaning) row(bool) meaning { return meaning{} }

func (meaning) cell() func() { return nothing }

// code is a QR code as maroto draws it: a picture.
func (meaning) code(address string) core.Component { return code.NewQr(address) }
