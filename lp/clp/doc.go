// Package clp solves linear programs with CLP, COIN-OR's simplex code, through
// github.com/lanl/clp. It needs cgo, pkg-config and CLP's headers (Debian: apt-get install
// coinor-libclp-dev pkg-config), and is empty unless built with -tags clp.
package clp
