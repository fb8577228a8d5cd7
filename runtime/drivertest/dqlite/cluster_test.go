package dqlite

import "fmt"

func address(i int) string { return fmt.Sprintf("127.0.0.1:%d", 19871+i) }
