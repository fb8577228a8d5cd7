package directive

//lockstep:off

const list = "SELECT titel FROM notes"
