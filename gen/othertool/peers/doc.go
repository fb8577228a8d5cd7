// Package peers is a module of its own: it has other migration tools migrate databases,
// which lockstep then takes over.
package peers
