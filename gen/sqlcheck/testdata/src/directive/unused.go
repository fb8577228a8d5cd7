package directive

/* want "//lockstep:off silences nothing: the file has no SQL" */ //lockstep:off

/* want "//lockstep:schema elsewhere: the package already has migrations" */ //lockstep:schema elsewhere
