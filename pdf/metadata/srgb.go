package metadata

import (
	"encoding/binary"
	"math"
)

// SRGB is the sRGB colour space (IEC 61966-2-1) as an ICC profile: a display profile of version 4.2 (ISO 15076-1) that
// holds nothing but what such a profile must. It is computed from the standard's own numbers.
var SRGB = srgb()

// D50 is the illuminant of the profile connection space, as ISO 15076-1 writes it in s15Fixed16.
var d50 = [3]float64{0.9642, 1, 0.8249}

func srgb() []byte {
	adapt := bradford(xyz(0.3127, 0.3290), d50) // from the white of sRGB, D65
	// Each primary's XYZ is scaled so that the three together are white.
	r, g, b := xyz(0.64, 0.33), xyz(0.30, 0.60), xyz(0.15, 0.06)
	primaries := matrix{{r[0], g[0], b[0]}, {r[1], g[1], b[1]}, {r[2], g[2], b[2]}}
	share := primaries.inverse().apply(xyz(0.3127, 0.3290))
	colorant := func(p [3]float64, s float64) []byte {
		return appendXYZ([]byte("XYZ \x00\x00\x00\x00"), adapt.apply([3]float64{p[0] * s, p[1] * s, p[2] * s}))
	}
	chad := []byte("sf32\x00\x00\x00\x00")
	for _, row := range adapt {
		for _, v := range row {
			chad = appendFixed(chad, v)
		}
	}
	// Curve type 3: (aX+b)^g from d on, cX below (ISO 15076-1, 10.18), the very definition of sRGB.
	curve := []byte("para\x00\x00\x00\x00\x00\x03\x00\x00")
	for _, v := range []float64{2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045} {
		curve = appendFixed(curve, v)
	}
	tags := []struct {
		name string
		data []byte
	}{
		{"desc", multilingual("sRGB")},
		{"cprt", multilingual("CC0")},
		{"wtpt", appendXYZ([]byte("XYZ \x00\x00\x00\x00"), d50)},
		{"chad", chad},
		{"rXYZ", colorant(r, share[0])},
		{"gXYZ", colorant(g, share[1])},
		{"bXYZ", colorant(b, share[2])},
		{"rTRC", curve}, {"gTRC", nil}, {"bTRC", nil}, // one curve for the three
	}
	profile := make([]byte, 128, 640)
	binary.BigEndian.PutUint32(profile[8:], 0x04200000)
	copy(profile[12:], "mntrRGB XYZ ")
	for i, v := range []uint16{2026, 1, 1, 0, 0, 0} {
		binary.BigEndian.PutUint16(profile[24+2*i:], v)
	}
	copy(profile[36:], "acsp")
	copy(profile[68:], appendXYZ(nil, d50))
	profile = binary.BigEndian.AppendUint32(profile, uint32(len(tags)))
	offset := len(profile) + 12*len(tags)
	var body []byte
	var at, size int
	for _, t := range tags {
		if t.data != nil {
			at, size = offset+len(body), len(t.data)
			body = append(body, t.data...)
			for len(body)%4 != 0 {
				body = append(body, 0)
			}
		}
		profile = append(profile, t.name...)
		profile = binary.BigEndian.AppendUint32(profile, uint32(at))
		profile = binary.BigEndian.AppendUint32(profile, uint32(size))
	}
	profile = append(profile, body...)
	binary.BigEndian.PutUint32(profile, uint32(len(profile)))
	return profile
}

// xyz turns a chromaticity into XYZ with Y = 1.
func xyz(x, y float64) [3]float64 { return [3]float64{x / y, 1, (1 - x - y) / y} }

type matrix [3][3]float64

func (m matrix) apply(v [3]float64) (out [3]float64) {
	for i, row := range m {
		out[i] = row[0]*v[0] + row[1]*v[1] + row[2]*v[2]
	}
	return out
}

func (m matrix) times(n matrix) (out matrix) {
	for i := range 3 {
		for j := range 3 {
			out[i][j] = m[i][0]*n[0][j] + m[i][1]*n[1][j] + m[i][2]*n[2][j]
		}
	}
	return out
}

func (m matrix) inverse() (out matrix) {
	cofactor := func(r, c int) float64 {
		r1, r2, c1, c2 := (r+1)%3, (r+2)%3, (c+1)%3, (c+2)%3
		return m[r1][c1]*m[r2][c2] - m[r1][c2]*m[r2][c1]
	}
	det := m[0][0]*cofactor(0, 0) + m[0][1]*cofactor(0, 1) + m[0][2]*cofactor(0, 2)
	for i := range 3 {
		for j := range 3 {
			out[i][j] = cofactor(j, i) / det
		}
	}
	return out
}

// bradford returns the chromatic adaptation from one white to another (ISO 15076-1, annex E).
func bradford(from, to [3]float64) matrix {
	cone := matrix{{0.8951, 0.2664, -0.1614}, {-0.7502, 1.7135, 0.0367}, {0.0389, -0.0685, 1.0296}}
	a, b := cone.apply(from), cone.apply(to)
	return cone.inverse().times(matrix{{b[0] / a[0], 0, 0}, {0, b[1] / a[1], 0}, {0, 0, b[2] / a[2]}}.times(cone))
}

func appendFixed(b []byte, v float64) []byte {
	return binary.BigEndian.AppendUint32(b, uint32(int32(math.Round(v*65536))))
}

func appendXYZ(b []byte, v [3]float64) []byte {
	return appendFixed(appendFixed(appendFixed(b, v[0]), v[1]), v[2])
}

// multilingual writes an ASCII text as a multiLocalizedUnicodeType with one record, en-US.
func multilingual(text string) []byte {
	b := []byte("mluc\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00\x0CenUS")
	b = binary.BigEndian.AppendUint32(b, uint32(2*len(text)))
	b = binary.BigEndian.AppendUint32(b, 28)
	for _, c := range []byte(text) {
		b = append(b, 0, c)
	}
	return b
}
