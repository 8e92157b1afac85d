package content

import (
	"strconv"

	"github.com/phpdave11/gofpdf/file"
)

// BeginLine begins a line of text at (x, y), its baseline. The font is the resource /F<n>, the size in points. Show,
// Adjust and Word put the line together; [Stream.EndLine] must follow.
//
// Lines of one piece of marked content stay in one text object, so what a reader extracts is one run. To keep words
// apart there, BeginLine first shows the character join (a space of the font before; 0 for none) where the line before
// ended, unless that ended with it.
func (s *Stream) BeginLine(font int, size float64, c Color, x, y float64, join uint16) {
	px, py := s.hundredths(x), s.hundredths(y)
	if !s.inText {
		s.Bytes = append(s.Bytes, "BT\n"...)
		s.inText = true
		s.penX, s.penY, s.last = 0, 0, 0
	} else if join != 0 && s.last != join {
		s.openArray()
		s.cid(join)
		s.closeArray()
	}
	if scaled := s.hundredths(size); s.font != font || s.size != scaled {
		s.font, s.size = font, scaled
		s.Bytes = strconv.AppendInt(append(s.Bytes, "/F"...), int64(font), 10)
		s.Bytes = append(file.AppendScaled(append(s.Bytes, ' '), scaled, 2), " Tf\n"...)
	}
	s.setFill(c)
	if px != s.penX || py != s.penY {
		s.Bytes = append(file.AppendScaled(s.Bytes, px-s.penX, 2), ' ')
		s.Bytes = append(file.AppendScaled(s.Bytes, py-s.penY, 2), " Td\n"...)
		s.penX, s.penY = px, py
	}
	s.openArray()
}

func (s *Stream) openArray() { s.Bytes = append(s.Bytes, "[("...) }

func (s *Stream) closeArray() { s.Bytes = append(s.Bytes, ")]TJ\n"...) }

// Show shows a character.
func (s *Stream) Show(cid uint16) {
	s.cid(cid)
	s.last = cid
}

// cid writes a code as two bytes of a literal string.
func (s *Stream) cid(cid uint16) {
	for _, c := range [2]byte{byte(cid >> 8), byte(cid)} {
		switch c {
		case '(', ')', '\\':
			s.Bytes = append(s.Bytes, '\\', c)
		case '\r': // a reader would take it for a line feed
			s.Bytes = append(s.Bytes, '\\', 'r')
		default:
			s.Bytes = append(s.Bytes, c)
		}
	}
}

// Adjust moves what follows to the right by thousandths of the font size; negative is to the left.
func (s *Stream) Adjust(thousandths float64) {
	scaled := s.hundredths(thousandths)
	if scaled == 0 {
		return
	}
	s.Bytes = append(s.Bytes, ')')
	s.Bytes = append(file.AppendScaled(s.Bytes, -scaled, 2), '(')
}

// EndLine ends the line begun last.
func (s *Stream) EndLine() { s.closeArray() }

func (s *Stream) endText() {
	if s.inText {
		s.inText = false
		s.operator("ET")
	}
}
