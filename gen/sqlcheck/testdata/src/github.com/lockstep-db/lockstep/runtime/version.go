package runtime

type Version int
