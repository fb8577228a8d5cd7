package goose
