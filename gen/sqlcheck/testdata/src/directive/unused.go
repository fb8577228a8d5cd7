package directive

/* want "//lockstep:off silences nothing: the file has no SQL" */ //lockstep:off

/* want "//lockstep:schema elsewhere: the package has another, migrations" */ //lockstep:schema elsewhere
