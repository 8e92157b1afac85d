package gofpdf

import "io"

// InitType says how a document starts.
type InitType struct {
	OrientationStr string // "P" or "L", which swaps the sides of the page
	UnitStr        string // "mm" (also when empty), "cm", "in" or "pt"
	SizeStr        string // only "A4"
	Size           SizeType
	FontDirStr     string // not used
}

// SizeType is a size in units.
type SizeType struct{ Wd, Ht float64 }

// PointType is a point in units from the upper left corner.
type PointType struct{ X, Y float64 }

// ImageOptions say of which type a picture is: "png", "jpg" or "jpeg".
type ImageOptions struct {
	ImageType             string
	ReadDpi               bool
	AllowNegativePosition bool
}

// The types below stand in methods that this writer does not have; they are there so that maroto's interface fits.
type (
	// PageBox is a box of a page.
	PageBox struct {
		SizeType
		PointType
	}
	// FontDescType describes a font.
	FontDescType struct{}
	// FontLoader opens font files.
	FontLoader interface {
		Open(name string) (io.Reader, error)
	}
	// HTMLBasicType writes HTML.
	HTMLBasicType struct{}
	// SVGBasicType is a simple SVG picture.
	SVGBasicType struct{}
	// Template is content for many pages.
	Template interface{ ID() string }
	// Tpl draws a template.
	Tpl struct{ Fpdf }
)
