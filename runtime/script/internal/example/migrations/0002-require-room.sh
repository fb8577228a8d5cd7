# The next migration needs room on the disk: stop before it if there is too little.
set -e
free=$(df -Pk "$(dirname "$1")" | awk 'NR == 2 { print $4 }')
if [ "$free" -lt 1024 ]; then
	echo "$free KiB are free on the disk, and the upgrade needs 1024" >&2
	exit 1
fi
