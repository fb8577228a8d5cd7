// Package notes has queries that sqlc generated, for the tables that the migrations make.
//
// A line in migrations/migrations.go writes schema.sql, which sqlc reads as sqlc.yaml says.
// This module does not require sqlc: its version 1.31.1 wrote the other files. Where "go get
// -tool github.com/sqlc-dev/sqlc/cmd/sqlc" has been run, a line below the other runs it:
//
//	//go:generate go tool sqlc generate -f ../sqlc.yaml
package notes

import "github.com/lockstep-db/lockstep/examples/sqlc/migrations"

// sqlc generated the queries for version 2.
const _ migrations.V0002Tags = migrations.Latest
