package e2e

import (
	"image"
	"image/color"
	"slices"
)

// coloursMost is how many colours a picture keeps: pages have few, and shades of
// them at the edges of letters.
const coloursMost = 28

// fewColours reduces a picture to a palette: the colours that it has most of, then
// others that are far from these; all else becomes the nearest of them.
func fewColours(from image.Image) *image.Paletted {
	bounds := from.Bounds()
	counts := map[color.RGBA]int{}
	for y := bounds.Min.Y; y < bounds.Max.Y; y++ {
		for x := bounds.Min.X; x < bounds.Max.X; x++ {
			counts[rgba(from.At(x, y))]++
		}
	}
	var all []color.RGBA
	for c := range counts {
		all = append(all, c)
	}
	slices.SortFunc(all, func(a, b color.RGBA) int { return counts[b] - counts[a] })
	var palette color.Palette
	for _, c := range all[:min(len(all), coloursMost/3)] { // grounds that differ little
		palette = append(palette, c)
	}
	for apart := 40 * 40; len(palette) < coloursMost && apart > 0; apart /= 4 {
		for _, c := range all {
			if len(palette) < coloursMost && !slices.ContainsFunc(palette, func(p color.Color) bool { return distance(rgba(p), c) < apart }) {
				palette = append(palette, c)
			}
		}
	}
	nearest := map[color.RGBA]uint8{}
	out := image.NewPaletted(bounds, palette)
	for y := bounds.Min.Y; y < bounds.Max.Y; y++ {
		for x := bounds.Min.X; x < bounds.Max.X; x++ {
			c := rgba(from.At(x, y))
			at, known := nearest[c]
			if !known {
				at = uint8(palette.Index(c))
				nearest[c] = at
			}
			out.SetColorIndex(x, y, at)
		}
	}
	return out
}

func rgba(c color.Color) color.RGBA { return color.RGBAModel.Convert(c).(color.RGBA) }

// distance is the square of how far two colours are apart.
func distance(a, b color.RGBA) int {
	r, g, l := int(a.R)-int(b.R), int(a.G)-int(b.G), int(a.B)-int(b.B)
	return r*r + g*g + l*l
}
