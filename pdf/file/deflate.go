package file

import (
	"bytes"
	"sync"

	"github.com/klauspost/compress/zlib"
)

// deflaters keeps compressors by level: one holds some hundred kilobytes, which is more than a whole certificate.
var deflaters [10]sync.Pool

// Deflate appends the zlib form of data to dst. Level is 1 (fast) to 9 (small). The result depends on data and level
// alone.
func Deflate(dst, data []byte, level int) []byte {
	out := bytes.NewBuffer(dst)
	z, _ := deflaters[level].Get().(*zlib.Writer)
	if z == nil {
		z, _ = zlib.NewWriterLevel(out, level) // fails for a level outside -3…9 only
	} else {
		z.Reset(out)
	}
	_, _ = z.Write(data) // a bytes.Buffer takes everything
	_ = z.Close()
	deflaters[level].Put(z)
	return out.Bytes()
}
