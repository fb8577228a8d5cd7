package lockstep_test

import (
	"bufio"
	"errors"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// startInImage starts the program as the last stage of the Dockerfile in the topic recipes
// says: alone in the file system but for a folder that its user may write to.
func startInImage(t *testing.T, app *module) {
	if _, err := exec.LookPath("chroot"); err != nil || os.Geteuid() != 0 {
		t.Skip("needs chroot, as root")
	}
	var dockerfile string
	for _, b := range blocks(t, "cmd/lockstep/help/recipes.md") {
		if b.info == "dockerfile Dockerfile" {
			_, dockerfile, _ = strings.Cut(b.text, "\nFROM scratch\n")
		}
	}
	if want := "COPY --from=build --chown=65532:65532 /image /\nUSER 65532:65532\nWORKDIR /data\nVOLUME /data\nENTRYPOINT [\"/app\"]\n"; dockerfile != want {
		t.Fatalf("the Dockerfile ends in\n%swant\n%s", dockerfile, want)
	}
	image := t.TempDir()
	db := filepath.Join(image, "data", "data.db")
	write(t, filepath.Join(image, "app"), read(t, app.program()))
	write(t, db, "")
	app.migrate(db, "--to", "1")
	for _, file := range []string{"app", "data", "data/data.db"} {
		path := filepath.Join(image, file)
		if err := errors.Join(os.Chown(path, 65532, 65532), os.Chmod(path, 0o700)); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command("chroot", "--userspec=65532:65532", image, "/app", "migrate", "file:/data/data.db")
	cmd.Env = []string{"PATH=" + os.Getenv("PATH")}
	if out, err := cmd.CombinedOutput(); err != nil || string(out) != "at version 0003\n" {
		t.Errorf("got %v\n%s", err, out)
	}
}

// startExample starts examples/notes as a new user does, without any flags.
func startExample(t *testing.T, m *module) {
	t.Helper()
	program := filepath.Join(t.TempDir(), "notes.exe")
	build := exec.Command("go", "build", "-ldflags=-s", "-o", program, "./examples/notes")
	build.Env = append(os.Environ(), "GOGC=off", "GOMEMLIMIT=1GiB")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	home := t.TempDir()
	cmd := exec.Command(program)
	cmd.Env = append(os.Environ(), "HOME="+home, "XDG_CONFIG_HOME="+home, "AppData="+home)
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Wait()
	defer cmd.Process.Kill()
	for lines := bufio.NewScanner(stdout); lines.Scan(); {
		if _, url, ok := strings.Cut(lines.Text(), "listening on "); ok {
			res, err := http.Get(url)
			if err != nil {
				t.Fatal(err)
			}
			res.Body.Close()
			if res.StatusCode != http.StatusOK {
				t.Errorf("got %s from %s", res.Status, url)
			}
			return
		}
	}
	t.Error("the example does not say where it is listening")
}
