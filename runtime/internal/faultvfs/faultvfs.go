// Package faultvfs gives SQLite the operating system's files on a disk that counts what is
// done, and fails or is full on demand. SQLite tests itself in this way: each operation of a
// piece of work fails in turn, and the database is checked after each.
//
// https://sqlite.org/testing.html#i_o_error_testing
package faultvfs

import (
	"errors"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/ncruces/go-sqlite3"
	"github.com/ncruces/go-sqlite3/vfs"

	"github.com/lockstep-db/lockstep/runtime/internal/powerdisk"
)

// A Disk is a VFS. It passes on every operation but sync, which it only counts, so that a
// thousand upgrades take seconds. The index of a WAL is shared memory, not on the disk.
type Disk struct {
	os vfs.VFSFilename

	mu     sync.Mutex
	counts [ops]int
	lock   vfs.LockLevel
	fault  Fault
	seen   int // operations since the fault was set that can fail
	failed int
	full   bool
	room   int64 // left; if not full, less what was taken
	peak   int64

	// Log is told what is done, unless it is nil. It changes only while no file is open.
	Log *powerdisk.Log

	// Wrote is told what is written to each file, "" for a temporary one, unless it is nil.
	Wrote func(path string, p []byte)
}

// Register registers a new disk with SQLite under a name, until unregister is called.
func Register(name string) (d *Disk, unregister func()) {
	d = &Disk{os: vfs.Find("").(vfs.VFSFilename)}
	vfs.Register(name, d)
	return d, func() { vfs.Unregister(name) }
}

// An Op is an operation of a VFS.
type Op int

const (
	Open Op = iota
	Read
	Write
	Truncate
	Sync
	Delete
	Lock    // takes one, looks for one or gives one back; not of the index of a WAL
	DirSync // a part of the first Sync of a new journal; it does not fail
	ops
)

// Ops is a set of them.
type Ops uint

const (
	Changes = Ops(1<<Open | 1<<Write | 1<<Truncate | 1<<Sync | 1<<Delete)
	Reads   = Ops(1 << Read)
	Locks   = Ops(1 << Lock)
)

// A Fault says which operation fails.
type Fault struct {
	Ops     Ops               // that can fail
	At      int               // the first that does; 1 is the next
	Lasting bool              // all later ones fail, too
	Late    bool              // it takes effect and fails, as on a network disk whose answer is lost
	After   time.Duration     // it takes so long to fail
	Code    sqlite3.ErrorCode // its error: IOERR, FULL
	Instead func()            // is called, and nothing fails, unless it is nil
}

// Fail makes operations fail from now on.
func (d *Disk) Fail(f Fault) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.fault, d.seen, d.failed = f, 0, 0
}

// Fill leaves room for so many more bytes in all files together.
func (d *Disk) Fill(room int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.full, d.room, d.failed = true, room, 0
}

// Heal ends all faults and counts from zero.
func (d *Disk) Heal() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.counts, d.lock, d.fault, d.full, d.room, d.peak = [ops]int{}, vfs.LOCK_NONE, Fault{}, false, 0, 0
}

// Counts returns how many operations there were of each kind.
func (d *Disk) Counts() map[Op]int {
	d.mu.Lock()
	defer d.mu.Unlock()
	counts := make(map[Op]int)
	for op, n := range d.counts {
		counts[Op(op)] = n
	}
	return counts
}

// Peak returns by how many bytes all files together have grown at most.
func (d *Disk) Peak() int64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.peak
}

// Lock returns the highest lock that was requested on a file.
func (d *Disk) Lock() vfs.LockLevel {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.lock
}

// Failed returns how many operations have failed.
func (d *Disk) Failed() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.failed
}

// count counts an operation and reports whether it fails.
func (d *Disk) count(op Op) (fails bool, fault Fault) {
	d.mu.Lock()
	defer func() {
		d.mu.Unlock()
		time.Sleep(fault.After)
	}()
	d.counts[op]++
	if d.fault.Ops&(1<<op) == 0 {
		return false, Fault{}
	}
	d.seen++
	if d.seen < d.fault.At || d.seen > d.fault.At && !d.fault.Lasting {
		return false, Fault{}
	}
	d.failed++
	if d.fault.Instead != nil {
		d.fault.Instead()
		return false, Fault{}
	}
	return true, d.fault
}

// do counts an operation, and does it unless it fails.
func (d *Disk) do(op Op, f func() error) error {
	fails, fault := d.count(op)
	if !fails {
		return f()
	}
	if fault.Late {
		f()
	}
	return fault.Code
}

// take takes up to n bytes of the room.
func (d *Disk) take(n int64) int64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.full || n <= d.room {
		d.room -= n
		d.peak = max(d.peak, -d.room)
		return n
	}
	n = max(0, d.room)
	d.room -= n
	d.failed++
	return n
}

// OpenFilename implements [vfs.VFSFilename].
func (d *Disk) OpenFilename(name *vfs.Filename, flags vfs.OpenFlag) (vfs.File, vfs.OpenFlag, error) {
	var opened vfs.File
	err := d.do(Open, func() (err error) {
		opened, flags, err = d.os.OpenFilename(name, flags)
		return err
	})
	inner, ok := opened.(osFile)
	switch {
	case err != nil:
		if opened != nil {
			opened.Close()
		}
		return nil, flags, err
	case !ok:
		opened.Close()
		return nil, flags, errors.New("faultvfs: not a file of the operating system")
	}
	const journals = vfs.OPEN_MAIN_JOURNAL | vfs.OPEN_SUPER_JOURNAL | vfs.OPEN_WAL
	created := flags&vfs.OPEN_CREATE != 0 && flags&journals != 0
	f := &file{inner, d, name.String(), flags, created}
	if flags&vfs.OPEN_CREATE != 0 {
		d.Log.Create(f.path, false) // unless it is there
	}
	return f, flags, nil
}

// Open implements [vfs.VFS].
func (d *Disk) Open(string, vfs.OpenFlag) (vfs.File, vfs.OpenFlag, error) {
	return nil, 0, sqlite3.CANTOPEN // OpenFilename is called instead
}

// Delete implements [vfs.VFS].
func (d *Disk) Delete(name string, syncDir bool) error {
	return d.do(Delete, func() error {
		info, _ := os.Stat(name)
		err := d.os.Delete(name, false)
		if err == nil && info != nil {
			d.take(-info.Size())
		}
		if err == nil {
			d.Log.Remove(name)
			if syncDir {
				d.Log.Sync(filepath.Dir(name))
			}
		}
		return err
	})
}

// Access implements [vfs.VFS].
func (d *Disk) Access(name string, flags vfs.AccessFlag) (bool, error) {
	return d.os.Access(name, flags)
}

// FullPathname implements [vfs.VFS].
func (d *Disk) FullPathname(name string) (string, error) { return d.os.FullPathname(name) }

// osFile is what a file of the operating system can do beyond [vfs.File], without what would
// bypass the disk: a hint about its size, and mapping it into memory.
type osFile interface {
	vfs.FileLockState
	vfs.FilePersistWAL
	vfs.FilePowersafeOverwrite
	vfs.FileHasMoved
	vfs.FileSharedMemory
}

type file struct {
	osFile
	disk    *Disk
	path    string // "" of a temporary file
	flags   vfs.OpenFlag
	created bool // its name is not known to be on the disk
}

func (f *file) Close() error {
	if f.flags&vfs.OPEN_DELETEONCLOSE != 0 {
		if size, err := f.Size(); err == nil {
			f.disk.take(-size)
		}
	}
	return f.osFile.Close()
}

func (f *file) ReadAt(p []byte, off int64) (n int, err error) {
	err = f.disk.do(Read, func() (err error) {
		n, err = f.osFile.ReadAt(p, off)
		return err
	})
	return n, err
}

// WriteAt writes half of what it is given when it fails.
func (f *file) WriteAt(p []byte, off int64) (n int, err error) {
	fails, fault := f.disk.count(Write)
	if !fails {
		return f.write(p, off)
	}
	if !fault.Late {
		p = p[:len(p)/2]
	}
	n, _ = f.write(p, off)
	return n, fault.Code
}

// write writes as much as there is room for.
func (f *file) write(p []byte, off int64) (n int, err error) {
	size, err := f.Size()
	if err != nil {
		return 0, err
	}
	growth := max(0, off+int64(len(p))-size)
	missing := growth - f.disk.take(growth)
	n, err = f.osFile.WriteAt(p[:max(0, int64(len(p))-missing)], off)
	f.disk.Log.Write(f.path, p[:n], off)
	if f.disk.Wrote != nil {
		f.disk.Wrote(f.path, p[:n])
	}
	if missing > 0 && err == nil {
		err = sqlite3.FULL
	}
	return n, err
}

func (f *file) Truncate(size int64) error {
	was, err := f.Size()
	if err != nil {
		return err
	}
	return f.disk.do(Truncate, func() error {
		f.disk.take(size - was)
		f.disk.Log.Truncate(f.path, size)
		return f.osFile.Truncate(size)
	})
}

func (f *file) Sync(vfs.SyncFlag) error {
	return f.disk.do(Sync, func() error {
		f.disk.Log.Sync(f.path)
		if f.created {
			f.disk.count(DirSync)
			f.disk.Log.Sync(filepath.Dir(f.path))
		}
		f.created = false
		return nil
	})
}

func (f *file) Lock(lock vfs.LockLevel) error {
	f.disk.mu.Lock()
	f.disk.lock = max(f.disk.lock, lock)
	f.disk.mu.Unlock()
	return f.disk.do(Lock, func() error { return f.osFile.Lock(lock) })
}

func (f *file) Unlock(lock vfs.LockLevel) error {
	return f.disk.do(Lock, func() error { return f.osFile.Unlock(lock) })
}

func (f *file) CheckReservedLock() (is bool, err error) {
	err = f.disk.do(Lock, func() error {
		is, err = f.osFile.CheckReservedLock()
		return err
	})
	return is, err
}

// DeviceCharacteristics hides that a file system can write several pages atomically.
func (f *file) DeviceCharacteristics() vfs.DeviceCharacteristic {
	return f.osFile.DeviceCharacteristics() &^ vfs.IOCAP_BATCH_ATOMIC
}
