package directive

//lockstep:schema migrations
