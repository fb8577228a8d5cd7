package database

import (
	"encoding/hex"
	"errors"
	"os"

	_ "github.com/ncruces/go-sqlite3/vfs/adiantum" // registers itself
	_ "github.com/ncruces/go-sqlite3/vfs/xts"

	"github.com/lockstep-db/lockstep/runtime/sqlite"
)

// Encryption returns the parameters of the URI of all databases, if they are encrypted. They
// come from the environment, because others can read the arguments of a process.
func Encryption() (query string, err error) {
	vfs, hexkey, textkey := os.Getenv("LOCKSTEP_VFS"), os.Getenv("LOCKSTEP_HEXKEY"), os.Getenv("LOCKSTEP_TEXTKEY")
	key, bad := hex.DecodeString(hexkey)
	switch {
	case vfs+hexkey+textkey == "":
		return "", nil
	case vfs != "adiantum" && vfs != "xts":
		return "", errors.New("LOCKSTEP_VFS: want adiantum or xts: lockstep help drivers")
	case (hexkey == "") == (textkey == ""):
		return "", errors.New("LOCKSTEP_VFS: want LOCKSTEP_HEXKEY or LOCKSTEP_TEXTKEY, too")
	case textkey != "":
		return "vfs=" + vfs + "&textkey=" + sqlite.Escape(textkey), nil
	case bad != nil || len(key) != 32 && (vfs != "xts" || len(key) != 48 && len(key) != 64):
		return "", errors.New("LOCKSTEP_HEXKEY: want 64 hexadecimal digits, or for xts also 96 or 128")
	}
	return "vfs=" + vfs + "&hexkey=" + hexkey, nil
}
