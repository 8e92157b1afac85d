package layout

import "bytes"

// bareJPEG is a JPEG without what stands beside its picture: EXIF (the camera's
// place and owner), comments, thumbnails, anything after the end. What says how
// to read the colours stays. It reads a file that image/jpeg has decoded, and
// gives false where the two see another structure (ITU-T T.81, annex B).
func bareJPEG(file []byte) ([]byte, bool) {
	const soi, eoi, sos, app0, app14, com = 0xD8, 0xD9, 0xDA, 0xE0, 0xEE, 0xFE
	if len(file) < 4 || file[0] != 0xFF || file[1] != soi {
		return nil, false
	}
	out := append(make([]byte, 0, len(file)), 0xFF, soi)
	at := 2
	for {
		for at < len(file) && file[at] != 0xFF { // readers pass over what is between segments
			at++
		}
		for at < len(file) && file[at] == 0xFF { // fill bytes may stand before a marker
			at++
		}
		if at >= len(file) {
			return nil, false
		}
		marker := file[at]
		at++
		switch {
		case marker == eoi:
			return append(out, 0xFF, eoi), true
		case marker <= 0x01 || 0xD0 <= marker && marker <= 0xD7:
			continue // no segment: a stuffed zero or a restart that strayed
		}
		if at+2 > len(file) {
			return nil, false
		}
		end := at + int(file[at])<<8 + int(file[at+1])
		if end < at+2 || end > len(file) {
			return nil, false
		}
		segment := file[at:end]
		at = end
		switch {
		case marker == app0 && len(segment) >= 16 && bytes.HasPrefix(segment[2:], []byte("JFIF\x00")):
			out = append(out, 0xFF, app0, 0, 16)
			out = append(append(out, segment[2:14]...), 0, 0) // without its thumbnail
		case marker == app14 && bytes.HasPrefix(segment[2:], []byte("Adobe")):
			out = append(append(out, 0xFF, app14), segment...)
		case app0 <= marker && marker <= app0+15 || marker == com:
		default:
			out = append(append(out, 0xFF, marker), segment...)
		}
		if marker != sos {
			continue
		}
		from := at
		for at+1 < len(file) && (file[at] != 0xFF || file[at+1] == 0 || 0xD0 <= file[at+1] && file[at+1] <= 0xD7) {
			at++
		}
		out = append(out, file[from:at]...)
	}
}
