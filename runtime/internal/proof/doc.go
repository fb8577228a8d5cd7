// Package proof has tests that try to break the promises of lockstep: machines lose power,
// disks fail, processes die, files are damaged. Each kind of test is also given a lockstep
// that is broken on purpose, and has to notice.
//
// A plain run takes samples; see .ci/proof for the whole.
package proof
