package lockstep

type Version int
