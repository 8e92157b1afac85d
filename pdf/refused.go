package gofpdf

import (
	"fmt"
	"io"
)

// The methods of gofpdf that this writer does not have. Each sets the document's error, so that whoever calls one learns
// it instead of missing something on the page.

func (f *Fpdf) refuse(method string) {
	f.SetError(fmt.Errorf("%w: %s", ErrUnsupported, method))
}

// AddFont is not supported.
func (f *Fpdf) AddFont(string, string, string) { f.refuse("AddFont") }

// AddFontFromBytes is not supported.
func (f *Fpdf) AddFontFromBytes(string, string, []byte, []byte) { f.refuse("AddFontFromBytes") }

// AddFontFromReader is not supported.
func (f *Fpdf) AddFontFromReader(string, string, io.Reader) { f.refuse("AddFontFromReader") }

// AddLayer is not supported.
func (f *Fpdf) AddLayer(string, bool) (_ int) { f.refuse("AddLayer"); return }

// AddLink is not supported.
func (f *Fpdf) AddLink() (_ int) { f.refuse("AddLink"); return }

// AddPageFormat is not supported.
func (f *Fpdf) AddPageFormat(string, SizeType) { f.refuse("AddPageFormat") }

// AddSpotColor is not supported.
func (f *Fpdf) AddSpotColor(string, byte, byte, byte, byte) { f.refuse("AddSpotColor") }

// AliasNbPages is not supported.
func (f *Fpdf) AliasNbPages(string) { f.refuse("AliasNbPages") }

// ArcTo is not supported.
func (f *Fpdf) ArcTo(float64, float64, float64, float64, float64, float64, float64) {
	f.refuse("ArcTo")
}

// Arc is not supported.
func (f *Fpdf) Arc(float64, float64, float64, float64, float64, float64, float64, string) {
	f.refuse("Arc")
}

// BeginLayer is not supported.
func (f *Fpdf) BeginLayer(int) { f.refuse("BeginLayer") }

// Beziergon is not supported.
func (f *Fpdf) Beziergon([]PointType, string) { f.refuse("Beziergon") }

// Cellf is not supported.
func (f *Fpdf) Cellf(float64, float64, string, ...any) { f.refuse("Cellf") }

// Cell is not supported.
func (f *Fpdf) Cell(float64, float64, string) { f.refuse("Cell") }

// Circle is not supported.
func (f *Fpdf) Circle(float64, float64, float64, string) { f.refuse("Circle") }

// ClipCircle is not supported.
func (f *Fpdf) ClipCircle(float64, float64, float64, bool) { f.refuse("ClipCircle") }

// ClipEllipse is not supported.
func (f *Fpdf) ClipEllipse(float64, float64, float64, float64, bool) { f.refuse("ClipEllipse") }

// ClipEnd is not supported.
func (f *Fpdf) ClipEnd() { f.refuse("ClipEnd") }

// ClipPolygon is not supported.
func (f *Fpdf) ClipPolygon([]PointType, bool) { f.refuse("ClipPolygon") }

// ClipRect is not supported.
func (f *Fpdf) ClipRect(float64, float64, float64, float64, bool) { f.refuse("ClipRect") }

// ClipRoundedRect is not supported.
func (f *Fpdf) ClipRoundedRect(float64, float64, float64, float64, float64, bool) {
	f.refuse("ClipRoundedRect")
}

// ClipText is not supported.
func (f *Fpdf) ClipText(float64, float64, string, bool) { f.refuse("ClipText") }

// Close is not supported.
func (f *Fpdf) Close() { f.refuse("Close") }

// CreateTemplateCustom is not supported.
func (f *Fpdf) CreateTemplateCustom(PointType, SizeType, func(*Tpl)) (_ Template) {
	f.refuse("CreateTemplateCustom")
	return
}

// CreateTemplate is not supported.
func (f *Fpdf) CreateTemplate(func(*Tpl)) (_ Template) { f.refuse("CreateTemplate"); return }

// CurveBezierCubic is not supported.
func (f *Fpdf) CurveBezierCubic(float64, float64, float64, float64, float64, float64, float64, float64, string) {
	f.refuse("CurveBezierCubic")
}

// CurveCubic is not supported.
func (f *Fpdf) CurveCubic(float64, float64, float64, float64, float64, float64, float64, float64, string) {
	f.refuse("CurveCubic")
}

// CurveTo is not supported.
func (f *Fpdf) CurveTo(float64, float64, float64, float64) { f.refuse("CurveTo") }

// Curve is not supported.
func (f *Fpdf) Curve(float64, float64, float64, float64, float64, float64, string) { f.refuse("Curve") }

// Ellipse is not supported.
func (f *Fpdf) Ellipse(float64, float64, float64, float64, float64, string) { f.refuse("Ellipse") }

// EndLayer is not supported.
func (f *Fpdf) EndLayer() { f.refuse("EndLayer") }

// GetCellMargin is not supported.
func (f *Fpdf) GetCellMargin() (_ float64) { f.refuse("GetCellMargin"); return }

// GetDrawSpotColor is not supported.
func (f *Fpdf) GetDrawSpotColor() (_ string, _ byte, _ byte, _ byte, _ byte) {
	f.refuse("GetDrawSpotColor")
	return
}

// GetFillSpotColor is not supported.
func (f *Fpdf) GetFillSpotColor() (_ string, _ byte, _ byte, _ byte, _ byte) {
	f.refuse("GetFillSpotColor")
	return
}

// GetFontDesc is not supported.
func (f *Fpdf) GetFontDesc(string, string) (_ FontDescType) { f.refuse("GetFontDesc"); return }

// GetPageSizeStr is not supported.
func (f *Fpdf) GetPageSizeStr(string) (_ SizeType) { f.refuse("GetPageSizeStr"); return }

// GetTextSpotColor is not supported.
func (f *Fpdf) GetTextSpotColor() (_ string, _ byte, _ byte, _ byte, _ byte) {
	f.refuse("GetTextSpotColor")
	return
}

// HTMLBasicNew is not supported.
func (f *Fpdf) HTMLBasicNew() (_ HTMLBasicType) { f.refuse("HTMLBasicNew"); return }

// ImageTypeFromMime is not supported.
func (f *Fpdf) ImageTypeFromMime(string) (_ string) { f.refuse("ImageTypeFromMime"); return }

// LinearGradient is not supported.
func (f *Fpdf) LinearGradient(float64, float64, float64, float64, int, int, int, int, int, int, float64, float64, float64, float64) {
	f.refuse("LinearGradient")
}

// Link is not supported.
func (f *Fpdf) Link(float64, float64, float64, float64, int) { f.refuse("Link") }

// MultiCell is not supported.
func (f *Fpdf) MultiCell(float64, float64, string, string, string, bool) { f.refuse("MultiCell") }

// OpenLayerPane is not supported.
func (f *Fpdf) OpenLayerPane() { f.refuse("OpenLayerPane") }

// OutputFileAndClose is not supported.
func (f *Fpdf) OutputFileAndClose(string) (_ error) { f.refuse("OutputFileAndClose"); return }

// RadialGradient is not supported.
func (f *Fpdf) RadialGradient(float64, float64, float64, float64, int, int, int, int, int, int, float64, float64, float64, float64, float64) {
	f.refuse("RadialGradient")
}

// RawWriteBuf is not supported.
func (f *Fpdf) RawWriteBuf(io.Reader) { f.refuse("RawWriteBuf") }

// RawWriteStr is not supported.
func (f *Fpdf) RawWriteStr(string) { f.refuse("RawWriteStr") }

// RegisterAlias is not supported.
func (f *Fpdf) RegisterAlias(string, string) { f.refuse("RegisterAlias") }

// RegisterImage is not supported.
func (f *Fpdf) RegisterImage(string, string) (_ *ImageInfoType) { f.refuse("RegisterImage"); return }

// RegisterImageOptions is not supported.
func (f *Fpdf) RegisterImageOptions(string, ImageOptions) (_ *ImageInfoType) {
	f.refuse("RegisterImageOptions")
	return
}

// RegisterImageReader is not supported.
func (f *Fpdf) RegisterImageReader(string, string, io.Reader) (_ *ImageInfoType) {
	f.refuse("RegisterImageReader")
	return
}

// SetAcceptPageBreakFunc is not supported.
func (f *Fpdf) SetAcceptPageBreakFunc(func() bool) { f.refuse("SetAcceptPageBreakFunc") }

// SetCatalogSort is not supported.
func (f *Fpdf) SetCatalogSort(bool) { f.refuse("SetCatalogSort") }

// SetCellMargin is not supported.
func (f *Fpdf) SetCellMargin(float64) { f.refuse("SetCellMargin") }

// SetDisplayMode is not supported.
func (f *Fpdf) SetDisplayMode(string, string) { f.refuse("SetDisplayMode") }

// SetDrawSpotColor is not supported.
func (f *Fpdf) SetDrawSpotColor(string, byte) { f.refuse("SetDrawSpotColor") }

// SetFillSpotColor is not supported.
func (f *Fpdf) SetFillSpotColor(string, byte) { f.refuse("SetFillSpotColor") }

// SetFontLoader is not supported.
func (f *Fpdf) SetFontLoader(FontLoader) { f.refuse("SetFontLoader") }

// SetFontLocation is not supported.
func (f *Fpdf) SetFontLocation(string) { f.refuse("SetFontLocation") }

// SetFooterFunc is not supported.
func (f *Fpdf) SetFooterFunc(func()) { f.refuse("SetFooterFunc") }

// SetFooterFuncLpi is not supported.
func (f *Fpdf) SetFooterFuncLpi(func(lastPage bool)) { f.refuse("SetFooterFuncLpi") }

// SetHeaderFunc is not supported.
func (f *Fpdf) SetHeaderFunc(func()) { f.refuse("SetHeaderFunc") }

// SetHeaderFuncMode is not supported.
func (f *Fpdf) SetHeaderFuncMode(func(), bool) { f.refuse("SetHeaderFuncMode") }

// SetJavascript is not supported.
func (f *Fpdf) SetJavascript(string) { f.refuse("SetJavascript") }

// SetLineCapStyle is not supported.
func (f *Fpdf) SetLineCapStyle(string) { f.refuse("SetLineCapStyle") }

// SetLineJoinStyle is not supported.
func (f *Fpdf) SetLineJoinStyle(string) { f.refuse("SetLineJoinStyle") }

// SetLink is not supported.
func (f *Fpdf) SetLink(int, float64, int) { f.refuse("SetLink") }

// SetPageBoxRec is not supported.
func (f *Fpdf) SetPageBoxRec(string, PageBox) { f.refuse("SetPageBoxRec") }

// SetPageBox is not supported.
func (f *Fpdf) SetPageBox(string, float64, float64, float64, float64) { f.refuse("SetPageBox") }

// SetPage is not supported.
func (f *Fpdf) SetPage(int) { f.refuse("SetPage") }

// SetProtection is not supported.
func (f *Fpdf) SetProtection(byte, string, string) { f.refuse("SetProtection") }

// SetTextSpotColor is not supported.
func (f *Fpdf) SetTextSpotColor(string, byte) { f.refuse("SetTextSpotColor") }

// SetUnderlineThickness is not supported.
func (f *Fpdf) SetUnderlineThickness(float64) { f.refuse("SetUnderlineThickness") }

// SetXmpMetadata is not supported.
func (f *Fpdf) SetXmpMetadata([]byte) { f.refuse("SetXmpMetadata") }

// SplitLines is not supported.
func (f *Fpdf) SplitLines([]byte, float64) (_ [][]byte) { f.refuse("SplitLines"); return }

// String is not supported.
func (f *Fpdf) String() (_ string) { f.refuse("String"); return }

// SVGBasicWrite is not supported.
func (f *Fpdf) SVGBasicWrite(*SVGBasicType, float64) { f.refuse("SVGBasicWrite") }

// TransformMirrorHorizontal is not supported.
func (f *Fpdf) TransformMirrorHorizontal(float64) { f.refuse("TransformMirrorHorizontal") }

// TransformMirrorLine is not supported.
func (f *Fpdf) TransformMirrorLine(float64, float64, float64) { f.refuse("TransformMirrorLine") }

// TransformMirrorPoint is not supported.
func (f *Fpdf) TransformMirrorPoint(float64, float64) { f.refuse("TransformMirrorPoint") }

// TransformMirrorVertical is not supported.
func (f *Fpdf) TransformMirrorVertical(float64) { f.refuse("TransformMirrorVertical") }

// TransformScaleX is not supported.
func (f *Fpdf) TransformScaleX(float64, float64, float64) { f.refuse("TransformScaleX") }

// TransformScaleXY is not supported.
func (f *Fpdf) TransformScaleXY(float64, float64, float64) { f.refuse("TransformScaleXY") }

// TransformScaleY is not supported.
func (f *Fpdf) TransformScaleY(float64, float64, float64) { f.refuse("TransformScaleY") }

// TransformSkew is not supported.
func (f *Fpdf) TransformSkew(float64, float64, float64, float64) { f.refuse("TransformSkew") }

// TransformSkewX is not supported.
func (f *Fpdf) TransformSkewX(float64, float64, float64) { f.refuse("TransformSkewX") }

// TransformSkewY is not supported.
func (f *Fpdf) TransformSkewY(float64, float64, float64) { f.refuse("TransformSkewY") }

// TransformTranslateX is not supported.
func (f *Fpdf) TransformTranslateX(float64) { f.refuse("TransformTranslateX") }

// TransformTranslateY is not supported.
func (f *Fpdf) TransformTranslateY(float64) { f.refuse("TransformTranslateY") }

// UnicodeTranslatorFromDescriptor is not supported. The function it returns changes nothing: maroto calls it.
func (f *Fpdf) UnicodeTranslatorFromDescriptor(string) func(string) string {
	f.refuse("UnicodeTranslatorFromDescriptor")
	return func(s string) string { return s }
}

// UseTemplateScaled is not supported.
func (f *Fpdf) UseTemplateScaled(Template, PointType, SizeType) { f.refuse("UseTemplateScaled") }

// UseTemplate is not supported.
func (f *Fpdf) UseTemplate(Template) { f.refuse("UseTemplate") }

// WriteAligned is not supported.
func (f *Fpdf) WriteAligned(float64, float64, string, string) { f.refuse("WriteAligned") }

// Writef is not supported.
func (f *Fpdf) Writef(float64, string, ...any) { f.refuse("Writef") }

// Write is not supported.
func (f *Fpdf) Write(float64, string) { f.refuse("Write") }

// WriteLinkID is not supported.
func (f *Fpdf) WriteLinkID(float64, string, int) { f.refuse("WriteLinkID") }

// WriteLinkString is not supported.
func (f *Fpdf) WriteLinkString(float64, string, string) { f.refuse("WriteLinkString") }
