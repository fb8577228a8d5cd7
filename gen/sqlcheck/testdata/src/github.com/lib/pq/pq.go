package pq

import "database/sql/driver"

func Array(any) any { return nil }

type Connector struct{ driver.Connector }

func NewConnector(dsn string) (*Connector, error) { return nil, nil }

type Conn struct{}

func (*Conn) Run(query string) {}
