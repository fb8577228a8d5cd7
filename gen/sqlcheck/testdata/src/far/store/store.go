package store

import "migrations"

const Version = migrations.ExpectedVersion
